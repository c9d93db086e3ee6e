import type { ServiceSpec } from "./catalogue.ts";

/**
 * The durable stream: the way of an order, from the news item that causes it to its fill. What NATS accepted on these
 * subjects survives a restart of NATS and of every consumer. Market data and features are not in it: the next tick replaces them.
 */
export const orderStream = {
  name: "ORDERS",
  subjects: ["news.item.created", "llm.intent.proposed", "risk.order.*", "risk.kill_switch.activated", "exec.order.*"],
  /** It makes the stream and every consumer, so that no other service may choose what a consumer delivers, or where to. */
  owner: "risk-manager",
} as const;

/** Where approved orders are published: who subscribes to it trades. */
export const APPROVED_ORDERS = "risk.order.approved";

/** What a NATS user may do; the subjects are allowed, all others refused. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Whether a subject, or pattern of subjects, falls within a pattern: `*` is one token, `>` one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    const given = tokens[index];
    if (given === undefined || given === ">") return false;
    if (token !== "*" && token !== given) return false;
  }
  return tokens.length === wanted.length;
}

/** Whether the stream keeps what is published on a subject. */
export function isDurable(subject: string): boolean {
  return orderStream.subjects.some((pattern) => subjectMatches(pattern, subject));
}

/** The durable consumer of a service for one subject: replicas share it, so each message is worked on once. */
export function consumerName(service: string, subject: string): string {
  return `${service}_${subject.replaceAll(".", "_")}`;
}

/** A service's own inbox, where it alone receives replies. */
export function inboxPrefix(service: string): string {
  return `_INBOX_${service}`;
}

/** The subjects of a service's NATS user: those of its entry, its inbox, and what JetStream needs for its own consumers. */
export function permissionsOf(service: string, spec: Pick<ServiceSpec, "publishes" | "subscribes">): NatsPermissions {
  const consumers = spec.subscribes.filter(isDurable).map((subject) => consumerName(service, subject));
  const stream = orderStream.name;
  return {
    publish: [
      ...spec.publishes,
      // An empty list would allow everything (NATS); its own inbox does no harm.
      `${inboxPrefix(service)}.>`,
      ...consumers.flatMap((consumer) => [
        `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
        `$JS.ACK.${stream}.${consumer}.>`,
      ]),
      ...(service === orderStream.owner
        ? [
            ...["CREATE", "UPDATE", "INFO"].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
            `$JS.API.CONSUMER.CREATE.${stream}.>`,
            `$JS.API.CONSUMER.INFO.${stream}.>`,
          ]
        : []),
    ],
    subscribe: [...spec.subscribes, `${inboxPrefix(service)}.>`],
  };
}
