import type { Settings } from "../settings.ts";
import { type ServiceName, type ServiceSpec, services } from "./catalogue.ts";
import { inboxPrefix, STANDARD_INBOX } from "./inbox.ts";
import type { Messaging } from "./release.ts";
import { startOf } from "./started.ts";
import { consumerName, isStreamName, streamOf, streams } from "./streams.ts";

/** What a NATS user may do; the subjects are allowed, all others refused. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** What JetStream's API asks of a client that makes a stream of its own. */
function ownStream(name: string): string[] {
  // A stream that the platform keeps is there before the service starts, so that to make it again changes nothing. To change one
  // is more than it looks: a stream may take in other streams' messages and publish them again, on any subject.
  const verbs = isStreamName(name) ? ["CREATE", "INFO"] : ["CREATE", "UPDATE", "INFO"];
  return verbs.map((verb) => `$JS.API.STREAM.${verb}.${name}`);
}

/**
 * The subjects of a service's NATS user: those of its entry, its inbox, what JetStream needs for its own consumers, and what its
 * image is granted besides.
 */
export function permissionsOf(
  service: string,
  { publishes, subscribes }: Pick<ServiceSpec, "publishes" | "subscribes">,
  messaging: Messaging = {},
): NatsPermissions {
  const inbox = `${inboxPrefix(service)}.>`;
  return {
    publish: [
      ...publishes,
      // An empty list would allow everything (NATS); its own inbox does no harm. Nobody may publish to the standard one:
      // no service answers requests, and JetStream's answers need no permission.
      inbox,
      ...subscribes.flatMap((subject) => {
        const [stream, consumer] = [streamOf(subject), consumerName(service, subject)];
        if (stream === undefined) return [];
        return [
          `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
          `$JS.ACK.${stream}.${consumer}.>`,
        ];
      }),
      ...(messaging.streams ?? []).flatMap(ownStream),
    ],
    subscribe: [...subscribes, inbox, ...(messaging.inbox === "standard" ? [STANDARD_INBOX] : [])],
  };
}

/** What a service's NATS user may publish and subscribe to in a stack. */
export function natsPermissions(
  service: ServiceName,
  settings: Pick<Settings, "application" | "release">,
): NatsPermissions {
  return permissionsOf(service, services[service], startOf(service, settings).messaging);
}

/** The name by which the keeper of the streams logs in, and the prefix of its inbox. */
export const STREAMS_USER = "streams";

/** What the keeper of the streams may do: make, change and look at those of the table. It removes none, and purges none. */
export const streamsPermissions: NatsPermissions = {
  publish: streams.flatMap(({ name, consumers }) => [
    ...["CREATE", "UPDATE", "INFO", "MSG.GET"].map((verb) => `$JS.API.STREAM.${verb}.${name}`),
    ...["CREATE", "INFO"].map((verb) => `$JS.API.CONSUMER.${verb}.${name}.>`),
    // From the stream in which a consumer was before, once it has its place in this one.
    ...consumers.flatMap((consumer) =>
      ["PAUSE", "DELETE"].map((verb) => `$JS.API.CONSUMER.${verb}.*.${consumer.name}`),
    ),
  ]),
  subscribe: [`${inboxPrefix(STREAMS_USER)}.>`],
};
