import type { Config, ConsumerState, KeptStream, StreamState } from "./streamsApi.ts";

const NANOSECONDS = 1_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const KEPT_MS = 7 * DAY_MS;
const DUPLICATE_WINDOW_MS = 2 * 60 * 1000;
const REDELIVER_AFTER_MS = 30_000;
const MIB = 1024 * 1024;

/** The description of a stream whose first consumers do not all exist yet. */
export const PREPARING = "preparing";

/** A stream's configuration as it is kept. */
export const configOf = ({ purpose, subjects, size }: KeptStream): Config => ({
  description: purpose,
  subjects,
  storage: "file",
  retention: "limits",
  discard: "old",
  max_age: KEPT_MS * NANOSECONDS,
  max_bytes: size * MIB,
  duplicate_window: DUPLICATE_WINDOW_MS * NANOSECONDS,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  max_consumers: -1,
  num_replicas: 1,
});

/** What would have a stream take in, change or give away messages beyond its subjects, or refuse them. */
const NEVER = [
  "mirror",
  "sources",
  "republish",
  "subject_transform",
  "sealed",
  "no_ack",
  "discard_new_per_subject",
] as const;

/** A consumer's configuration as it is kept, beside its name, its subject and where it starts. */
export const CONSUMER_CONFIG: Config = {
  ack_policy: "explicit",
  ack_wait: REDELIVER_AFTER_MS * NANOSECONDS,
  max_ack_pending: 500,
  max_deliver: -1,
};
/** What would have a consumer deliver elsewhere, less, or not to everybody who asks. */
const CONSUMER_NEVER = [
  ...["deliver_subject", "filter_subjects", "backoff", "inactive_threshold", "headers_only"],
  ...["max_expires", "max_batch", "max_bytes", "priority_groups"],
];

const isSet = (value: unknown) => value !== undefined && value !== false && value !== 0 && value !== null;
const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);
const without = (config: Config, keys: readonly string[]): Config =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !keys.includes(key)));

/** The settings by which a stream or consumer is not as it is kept. */
function differences(now: Config, wanted: Config, never: readonly string[]): string[] {
  const keys = Object.keys(wanted).filter((key) => differs(now[key], wanted[key]));
  return [...keys, ...never.filter((key) => isSet(now[key]))];
}

export const streamDifferences = (stream: KeptStream, { config }: StreamState): string[] =>
  differences(config, configOf(stream), NEVER);

const consumerWanted = (subject: string): Config => ({ ...CONSUMER_CONFIG, filter_subject: subject });

export const consumerDifferences = (subject: string, { config }: ConsumerState): string[] =>
  differences(config, consumerWanted(subject), CONSUMER_NEVER);

/** The limits that the stream's messages are over, which would be removed by them. */
function losingLimits(stream: KeptStream, { state }: StreamState): string[] {
  const wanted = configOf(stream);
  const age = state.messages === 0 ? 0 : Date.now() - Date.parse(state.first_ts);
  return [
    ...(state.bytes > Number(wanted.max_bytes) ? ["max_bytes"] : []),
    // What is older than that by less than a day goes by itself.
    ...(age > KEPT_MS + DAY_MS ? ["max_age"] : []),
  ];
}

/** What a stream is updated to: as it is kept, but for limits that would remove messages. */
export function settledConfig(stream: KeptStream, now: StreamState): Config {
  const losing = losingLimits(stream, now);
  return { ...without(now.config, NEVER), ...without(configOf(stream), losing) };
}

/** What a consumer is updated to; where it began to read cannot be changed, and is handed back. */
export const settledConsumer = (subject: string, { config }: ConsumerState): Config => ({
  ...without(config, CONSUMER_NEVER),
  ...consumerWanted(subject),
});
