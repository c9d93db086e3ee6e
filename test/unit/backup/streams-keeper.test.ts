import { describe, expect, it } from "vitest";
import type { KeptStream, StreamState } from "../../../services/backup/src/streamsApi.ts";
import { configOf, settledConfig, streamDifferences } from "../../../services/backup/src/streamsConfig.ts";
import { streamsPage } from "../../../services/backup/src/streamsServe.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const stream: KeptStream = { name: "FILLS", purpose: "fills", subjects: ["exec.order.filled"], size: 1, consumers: [] };
const stateOf = (config: object, state: Partial<StreamState["state"]> = {}): StreamState => ({
  config: { ...configOf(stream), ...config },
  state: { messages: 1, bytes: 10, first_seq: 1, first_ts: new Date().toISOString(), last_seq: 1, ...state },
});

describe("the stream keeper", () => {
  it("sees what differs in a stream, and what it must not have", () => {
    expect(streamDifferences(stream, stateOf({}))).toEqual([]);
    const changed = { subjects: ["exec.>"], republish: { src: ">", dest: "x.>" }, sealed: false };
    expect(streamDifferences(stream, stateOf(changed))).toEqual(["subjects", "republish"]);
    const settled = settledConfig(stream, stateOf(changed));
    expect(settled).toMatchObject({ subjects: ["exec.order.filled"] });
    expect(settled).not.toHaveProperty("republish");
  });

  it("sets no limit that would remove messages", () => {
    const old = new Date(Date.now() - 30 * DAY_MS).toISOString();
    const larger = { max_bytes: 9_999_999, max_age: 0 };
    const settled = settledConfig(stream, stateOf(larger, { bytes: 5_000_000, first_ts: old }));
    expect(settled).toMatchObject(larger);
    expect(settledConfig(stream, stateOf(larger))).toMatchObject({ max_bytes: 1024 * 1024, max_age: 7 * DAY_MS * 1e6 });
  });

  it("reports which stream is not kept, what it has repaired, and when it looked", () => {
    const page = streamsPage({
      at: 1_700_000_000_000,
      kept: new Map([
        ["A", { complete: true, faults: [], repairs: [] }],
        ["B", { complete: true, faults: ["x"], repairs: [] }],
        ["C", { complete: false, faults: [], repairs: [] }],
      ]),
      repairs: new Map([["A", 2]]),
    });
    for (const line of ['nats_stream_kept{stream="A"} 1', 'nats_stream_kept{stream="B"} 0'])
      expect(page).toContain(line);
    expect(page).toContain('nats_stream_kept{stream="C"} 0');
    expect(page).toContain('nats_stream_repairs_total{stream="A"} 2');
    expect(page).toContain("nats_streams_checked_timestamp_seconds 1700000000\n");
  });
});
