import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { consumerName, isDurable, orderStream } from "../../../components/platform/order-stream.ts";
import type { Bus } from "./bus.ts";
import { type Log, reason } from "./log.ts";
import { sleep } from "./timing.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const KEPT_DAYS = 7;
const MAX_BYTES = 512 * 1024 * 1024;
const REDELIVER_AFTER_MS = 30_000;
const DUPLICATE_WINDOW_MS = 2 * 60 * 1000;
const CHECK_EVERY_MS = 10_000;

/** The stream's description says whether all first consumers exist. */
const PREPARING = "preparing";
const READY = "the way of an order, from news item to fill";

const config = {
  subjects: [...orderStream.subjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: nanos(KEPT_DAYS * DAY_MS),
  max_bytes: MAX_BYTES,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
};

/** Every durable consumer that the catalogue asks for. */
export const durableConsumers = serviceNames.flatMap((service) =>
  services[service].subscribes.filter(isDurable).map((subject) => ({ name: consumerName(service, subject), subject })),
);

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  const missing: readonly number[] = [JetStreamApiCodes.StreamNotFound, JetStreamApiCodes.ConsumerNotFound];
  return await work.catch((error: unknown) => {
    if (error instanceof JetStreamApiError && missing.includes(error.code)) return undefined;
    throw error;
  });
}

/**
 * Makes what is missing of the stream and its consumers.
 * While the stream is being prepared, consumers start at its first message: nothing that was accepted in between is lost.
 * Later, a new consumer starts with what is new: a new executor must not trade the past.
 */
async function ensure(manager: JetStreamManager, log: Log): Promise<void> {
  const found = await orMissing(manager.streams.info(orderStream.name));
  if (found === undefined) {
    await manager.streams.add({ name: orderStream.name, ...config, description: PREPARING });
    log.info("stream made", { stream: orderStream.name });
  }
  const ready = found?.config.description === READY;
  for (const { name, subject } of durableConsumers) {
    if ((await orMissing(manager.consumers.info(orderStream.name, name))) !== undefined) continue;
    await manager.consumers.add(orderStream.name, {
      name,
      durable_name: name,
      filter_subject: subject,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(REDELIVER_AFTER_MS),
      max_ack_pending: 500,
      deliver_policy: ready ? DeliverPolicy.New : DeliverPolicy.All,
    });
    log.info("consumer made", { consumer: name });
  }
  if (!ready) await manager.streams.update(orderStream.name, { ...config, description: READY });
}

/** Keeps the stream and its consumers in being, also after NATS has lost its volume. */
export async function keepStream(bus: Bus, log: Log, signal: AbortSignal): Promise<void> {
  let lastFault = "";
  while (!signal.aborted) {
    try {
      await ensure(await jetstreamManager(await bus.connection(), { checkAPI: false }), log);
      lastFault = "";
      await sleep(CHECK_EVERY_MS, signal);
    } catch (error) {
      if (reason(error) !== lastFault) log.warning("the stream cannot be made yet", { error: reason(error) });
      lastFault = reason(error);
      await sleep(1000, signal);
    }
  }
}
