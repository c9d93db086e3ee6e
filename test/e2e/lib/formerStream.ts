import { AckPolicy, DeliverPolicy, type JetStreamManager, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { streams } from "../../../components/platform/streams.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes the one stream for all that the platform had before, with the durable consumers of that time. */
export async function makeFormerStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({
    name: "ORDERS",
    subjects: [
      "news.item.created",
      "llm.intent.proposed",
      "risk.order.*",
      "risk.kill_switch.activated",
      "exec.order.*",
    ],
    ...{ storage: StorageType.File, max_age: nanos(7 * DAY_MS), max_bytes: 512 * 1024 * 1024 },
    duplicate_window: nanos(120_000),
    description: "the way of an order, from news item to fill",
  });
  for (const { name, subject } of streams.flatMap(({ consumers }) => consumers))
    await manager.consumers.add("ORDERS", {
      ...{ name, durable_name: name, filter_subject: subject, max_ack_pending: 500 },
      ...{ ack_policy: AckPolicy.Explicit, ack_wait: nanos(30_000), deliver_policy: DeliverPolicy.All },
    });
}
