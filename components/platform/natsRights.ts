import type { Settings } from "../settings.ts";
import { type ServiceName, type ServiceSpec, services } from "./catalogue.ts";
import { inboxPrefix, STANDARD_INBOX } from "./inbox.ts";
import type { Messaging } from "./release.ts";
import { startOf } from "./started.ts";
import { consumerName, isStreamName, streamOf, streams } from "./streams.ts";

/** The rights of a NATS user: these subjects are allowed, all others refused. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** JetStream's API calls for a client that creates its own stream. */
function ownStream(name: string): string[] {
  // A stream that the platform keeps exists before the service starts, so creating it again changes nothing. Changing one gives
  // more power than it seems: a stream may take in other streams' messages and publish them again, on any subject.
  const verbs = isStreamName(name) ? ["CREATE", "INFO"] : ["CREATE", "UPDATE", "INFO"];
  return verbs.map((verb) => `$JS.API.STREAM.${verb}.${name}`);
}

/**
 * The subjects of a service's NATS user: those of its entry, its inbox, what JetStream needs for its own consumers, and the
 * additional rights of its image.
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

/** The stream keeper's user name, and the prefix of its inbox. */
export const STREAMS_USER = "streams";

/** The stream keeper's rights: create, change and read the streams of the table. It may remove none, and purge none. */
export const streamsPermissions: NatsPermissions = {
  publish: streams.flatMap(({ name, consumers }) => [
    ...["CREATE", "UPDATE", "INFO", "MSG.GET"].map((verb) => `$JS.API.STREAM.${verb}.${name}`),
    ...["CREATE", "INFO"].map((verb) => `$JS.API.CONSUMER.${verb}.${name}.>`),
    // From the stream that a consumer was in before, once it exists in this one.
    ...consumers.flatMap((consumer) =>
      ["PAUSE", "DELETE"].map((verb) => `$JS.API.CONSUMER.${verb}.*.${consumer.name}`),
    ),
  ]),
  subscribe: [`${inboxPrefix(STREAMS_USER)}.>`],
};
