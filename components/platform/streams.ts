import { type ServiceName, type ServiceSpec, serviceNames, services } from "./catalogue.ts";
import { subjectMatches, subjectsMeet } from "./subjects.ts";

/** A durable stream: what NATS accepted on its subjects survives a restart of NATS and of every consumer. */
interface StreamSpec {
  /** Its content, in a few words: the stream's description. */
  readonly purpose: string;
  readonly subjects: readonly string[];
  /** Most disk that it may use, MiB; the oldest messages go first. All of them fit into JetStream's own limit. */
  readonly size: number;
}

/**
 * The path of an order, from the news item that causes it to its fill. Market data and features are in no stream: the next tick
 * replaces them. NATS drops a message whose `Nats-Msg-Id` the stream has seen within two minutes, no matter who sent it: so a stream's
 * publishers all have the same rights on it, or one could make another's message disappear. Do not change a name: another name is
 * another, empty stream.
 */
const table = {
  NEWS: { purpose: "news items", subjects: ["news.item.created"], size: 256 },
  // The name that AutoLLM Trader's gateway requests.
  INTENTS: { purpose: "proposed intents", subjects: ["llm.intent.proposed"], size: 256 },
  ORDERS: { purpose: "decisions on intents", subjects: ["risk.order.*"], size: 512 },
  KILL_SWITCH: { purpose: "activations of the kill switch", subjects: ["risk.kill_switch.activated"], size: 64 },
  EXECUTIONS: {
    purpose: "what a broker took or refused",
    subjects: ["exec.order.submitted", "exec.order.rejected"],
    size: 256,
  },
  FILLS: { purpose: "executed orders", subjects: ["exec.order.filled"], size: 256 },
} as const satisfies Readonly<Record<string, StreamSpec>>;

export type StreamName = keyof typeof table;

/** The part of a service's entry that says which subjects it uses. */
type Uses = Pick<ServiceSpec, "publishes" | "subscribes">;

/** The conflicts between the streams and the catalogue's subjects, one sentence each. */
export function streamFaults(
  streams: Readonly<Record<string, Pick<StreamSpec, "subjects">>>,
  users: Readonly<Record<string, Uses>>,
): string[] {
  const within = (pattern: string, { subjects }: Pick<StreamSpec, "subjects">) =>
    subjects.some((subject) => subjectsMeet(subject, pattern));
  const faults: string[] = [];
  for (const [name, stream] of Object.entries(streams)) {
    const rights = Object.entries(users).flatMap(([user, { publishes }]) => {
      const own = publishes.filter((subject) => within(subject, stream)).toSorted();
      return own.length === 0 ? [] : [{ user, own: own.join(", ") }];
    });
    const [first, ...others] = rights;
    const other = others.find(({ own }) => own !== first?.own);
    if (first !== undefined && other !== undefined)
      faults.push(
        `stream ${name}: ${first.user} publishes ${first.own} to it and ${other.user} ${other.own}; give each subject whose publishers differ its own stream`,
      );
  }
  for (const [user, { subscribes }] of Object.entries(users))
    for (const pattern of subscribes) {
      const met = Object.entries(streams).filter(([, stream]) => within(pattern, stream));
      const whole = met.length === 1 && met[0]?.[1].subjects.some((subject) => subjectMatches(subject, pattern));
      if (met.length > 0 && !whole)
        faults.push(
          `${user} subscribes to ${pattern}, which is not within one subject of ${met.map(([name]) => name).join(", ")}; let it subscribe to each of them`,
        );
    }
  return faults;
}

/** A service's durable consumer: replicas share it, so each message is worked on once. */
export interface StreamConsumer {
  readonly name: string;
  readonly service: ServiceName;
  readonly subject: string;
}

/** A stream as the platform keeps it. */
export interface Stream extends StreamSpec {
  readonly name: StreamName;
  readonly consumers: readonly StreamConsumer[];
}

const rows = Object.entries(table) as unknown as readonly (readonly [StreamName, StreamSpec])[];

/** The durable consumer of a service for one subject. */
export function consumerName(service: string, subject: string): string {
  return `${service}_${subject.replaceAll(".", "_")}`;
}

/** The stream of a subject; undefined for a subject without one. */
export function streamOf(subject: string): StreamName | undefined {
  return rows.find(([, { subjects }]) => subjects.some((pattern) => subjectMatches(pattern, subject)))?.[0];
}

/** Whether a stream keeps what is published on a subject. */
export const isDurable = (subject: string): boolean => streamOf(subject) !== undefined;

export const isStreamName = (name: string): name is StreamName => Object.hasOwn(table, name);

/** Whether a service publishes to a stream. */
export function publishesTo(service: ServiceName, stream: StreamName): boolean {
  const { publishes }: ServiceSpec = services[service];
  const { subjects }: StreamSpec = table[stream];
  return publishes.some((own) => subjects.some((subject) => subjectsMeet(subject, own)));
}

function build(): readonly Stream[] {
  const faults = streamFaults(table, services);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return rows.map(([name, spec]) => ({
    name,
    ...spec,
    consumers: serviceNames.flatMap((service) =>
      (services[service] as ServiceSpec).subscribes
        .filter((subject) => streamOf(subject) === name)
        .map((subject) => ({ name: consumerName(service, subject), service, subject })),
    ),
  }));
}

/** Every stream, with the durable consumers that follow from what the services subscribe to. */
export const streams: readonly Stream[] = build();
