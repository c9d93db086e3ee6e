import { describe, expect, it } from "vitest";
import { lost, readCounts, told } from "../../../../tools/lib/move/counts.ts";

const streams = (last: number, messages: number, consumers = 2) =>
  JSON.stringify({
    account_details: [
      {
        name: "$G",
        stream_detail: [
          {
            name: "ORDERS",
            state: { messages, last_seq: last },
            // One that goes with its session does not count.
            consumer_detail: [{ config: {} }, ...Array(consumers).fill({ config: { durable_name: "reader" } })],
          },
        ],
      },
    ],
  });
const said = (rows: number, keys: string, all = streams(7, 7)) =>
  [`rows autollm.ledger.fills ${rows}`, 'rows autollm.ledger."odd name" 0', `keys ${keys}`, `streams ${all}`, ""].join(
    "\n",
  );
const before = readCounts(said(5, "db0:keys=9,expires=4,avg_ttl=100"));

describe("what the stores hold before and after a move", () => {
  it("is read from what they say, keys that expire left out", () => {
    expect(before).toEqual({
      rows: { "autollm.ledger.fills": 5, 'autollm.ledger."odd name"': 0 },
      keys: { db0: 5 },
      streams: { ORDERS: { last: 7, messages: 7, consumers: 2 } },
    });
    expect(told(before)).toBe("5 rows in 2 tables, 5 keys, 7 messages in 1 streams");
  });

  it("is refused where a store could not be counted", () => {
    expect(() => readCounts("keys db0:keys=1,expires=0\n")).toThrow("could not be counted");
  });

  it("may lack what has reached its age meanwhile, and nothing else", () => {
    expect(lost(before, readCounts(said(5, "db0:keys=7,expires=2", streams(7, 4))))).toEqual([]);
    expect(lost(before, readCounts(said(4, "db0:keys=9,expires=4")))).toEqual([
      "autollm.ledger.fills has 4 rows, and had 5",
    ]);
    expect(lost(before, readCounts(said(5, "db0:keys=8,expires=4")))).toEqual(["Redis db0 has 4 keys, and had 5"]);
    expect(lost(before, readCounts(said(5, "db0:keys=9,expires=4", streams(6, 6))))[0]).toContain("the stream ORDERS");
    expect(lost(before, readCounts(said(5, "db0:keys=9,expires=4", streams(7, 7, 1))))[0]).toContain("1 consumers");
    expect(lost(before, readCounts(said(5, "db0:keys=9,expires=4", '{"account_details":[]}')))).toEqual([
      "the stream ORDERS is missing",
    ]);
  });
});
