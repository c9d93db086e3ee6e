import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { natsPage, serveNatsMetrics } from "../../../services/backup/src/natsMetrics.ts";

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
const consumer = {
  name: "risk-manager_llm_intent_proposed",
  num_pending: 3,
  num_ack_pending: 2,
  num_redelivered: 1,
  delivered: { consumer_seq: 9 },
};
const stream = {
  name: "ORDERS",
  state: { messages: 7, bytes: 700, last_seq: 9, num_deleted: 2 },
  consumer_detail: [consumer],
};
const jsz = { storage: 700, config: { max_storage: 2048 }, account_details: [{ stream_detail: [stream] }] };

describe("NATS's figures", () => {
  it("show how many messages wait for which consumer", () => {
    const lines = natsPage({ varz, jsz }).split("\n");
    const labels = '{stream="ORDERS",consumer="risk-manager_llm_intent_proposed"}';
    expect(lines).toEqual(
      expect.arrayContaining([
        "nats_up 1",
        "nats_connections 12",
        "# TYPE nats_received_messages_total counter",
        'nats_stream_messages{stream="ORDERS"} 7',
        'nats_stream_last_sequence{stream="ORDERS"} 9',
        'nats_stream_gaps{stream="ORDERS"} 2',
        `nats_consumer_pending${labels} 3`,
        `nats_consumer_unacknowledged${labels} 2`,
        `nats_consumer_delivered${labels} 9`,
        "nats_jetstream_storage_limit_bytes 2048",
      ]),
    );
  });

  it("are there before any stream is", () => {
    const page = natsPage({ varz, jsz: { storage: 0, config: { max_storage: 2048 } } });
    expect(page).toContain("nats_jetstream_storage_bytes 0\n");
    expect(page).not.toMatch(/^nats_consumer_pending/m);
  });

  it("say that NATS is down if it does not answer, and show no old figure", () => {
    expect(natsPage(undefined)).toMatch(/^# HELP nats_up .*\n# TYPE nats_up gauge\nnats_up 0\n$/);
  });

  it("are read again at each scrape, so that a NATS that goes away shows at once", async () => {
    const nats = createServer((request, response) => {
      response.end(JSON.stringify(request.url === "/varz" ? varz : jsz));
    }).listen(0, "127.0.0.1");
    await once(nats, "listening");
    const server = serveNatsMetrics(`http://127.0.0.1:${(nats.address() as AddressInfo).port}`, 0);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const page = async (path: string) =>
      (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)).text();
    expect(await page("/metrics")).toContain("nats_up 1\n");
    nats.closeAllConnections();
    nats.close();
    expect(await page("/metrics")).toContain("nats_up 0\n");
    expect(await page("/health")).toBe("ok\n");
  });
});
