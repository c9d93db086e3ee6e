import { describe, expect, it } from "vitest";
import { natsPage } from "../../services/backup/src/natsMetrics.ts";

const varz = {
  connections: 12,
  slow_consumers: 1,
  in_msgs: 100,
  out_msgs: 200,
  in_bytes: 1000,
  out_bytes: 2000,
  mem: 30_000_000,
  subscriptions: 40,
};
const consumer = { name: "risk-manager_llm_intent_proposed", num_pending: 3, num_ack_pending: 2, num_redelivered: 1 };
const stream = { name: "ORDERS", state: { messages: 7, bytes: 700 }, consumer_detail: [consumer] };
const jsz = { storage: 700, config: { max_storage: 2048 }, account_details: [{ stream_detail: [stream] }] };

describe("NATS's figures", () => {
  it("tell how much waits for whom", () => {
    const lines = natsPage({ varz, jsz }).split("\n");
    const labels = '{stream="ORDERS",consumer="risk-manager_llm_intent_proposed"}';
    expect(lines).toEqual(
      expect.arrayContaining([
        "nats_up 1",
        "nats_connections 12",
        "# TYPE nats_received_messages_total counter",
        'nats_stream_messages{stream="ORDERS"} 7',
        `nats_consumer_pending${labels} 3`,
        `nats_consumer_unacknowledged${labels} 2`,
        "nats_jetstream_storage_limit_bytes 2048",
      ]),
    );
  });

  it("are there before any stream is", () => {
    const page = natsPage({ varz, jsz: { storage: 0, config: { max_storage: 2048 } } });
    expect(page).toContain("nats_jetstream_storage_bytes 0\n");
    expect(page).not.toMatch(/^nats_consumer_pending/m);
  });

  it("say that NATS is down when it does not answer, and no old figure", () => {
    expect(natsPage(undefined)).toMatch(/^# HELP nats_up .*\n# TYPE nats_up gauge\nnats_up 0\n$/);
  });
});
