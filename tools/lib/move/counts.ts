import { z } from "zod";
import { UserError } from "../log.ts";

const stream = z.object({
  name: z.string(),
  state: z.object({ messages: z.int(), last_seq: z.int() }),
  consumer_detail: z.array(z.object({ config: z.object({ durable_name: z.string().default("") }) })).default([]),
});
const answer = z.object({
  account_details: z.array(z.object({ stream_detail: z.array(stream).default([]) })).default([]),
});

/** What the stores hold: rows by table, keys by database, messages by stream. */
export interface Counts {
  readonly rows: Readonly<Record<string, number>>;
  /** Keys of Redis that do not expire, by database. */
  readonly keys: Readonly<Record<string, number>>;
  /** Of a stream: the number of its last message, which only grows, how many it has, and its durable consumers. */
  readonly streams: Readonly<
    Record<string, { readonly last: number; readonly messages: number; readonly consumers: number }>
  >;
}

/** Reads what `counts` says. */
export function readCounts(text: string): Counts {
  const lines = text.split("\n");
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const rows = after("rows").map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))] as const;
  });
  const keys = after("keys").map((line) => {
    const [, database = "", all = "", expiring = ""] = /^(\w+):keys=(\d+),expires=(\d+)/.exec(line) ?? [];
    return [database, Number(all) - Number(expiring)] as const;
  });
  const [streams = ""] = after("streams");
  const read = answer.safeParse(streams === "" ? undefined : JSON.parse(streams));
  if (rows.length === 0 || !read.success) throw new UserError("the stores could not be counted");
  const all = read.data.account_details.flatMap(({ stream_detail }) => stream_detail);
  return {
    rows: Object.fromEntries(rows),
    keys: Object.fromEntries(keys),
    streams: Object.fromEntries(
      all.map(({ name, state, consumer_detail: consumers }) => [
        name,
        {
          last: state.last_seq,
          messages: state.messages,
          consumers: consumers.filter(({ config }) => config.durable_name !== "").length,
        },
      ]),
    ),
  };
}

/** All that a store of the old host has and the new one has not. A message may have reached its age meanwhile, and a key too. */
export function lost(before: Counts, after: Counts): readonly string[] {
  const tables = Object.entries(before.rows).flatMap(([table, rows]) =>
    after.rows[table] === rows ? [] : [`${table} has ${after.rows[table] ?? "no"} rows, and had ${rows}`],
  );
  const keys = Object.entries(before.keys).flatMap(([database, count]) =>
    (after.keys[database] ?? 0) === count
      ? []
      : [`Redis ${database} has ${after.keys[database] ?? 0} keys, and had ${count}`],
  );
  const streams = Object.entries(before.streams).flatMap(([name, had]) => {
    const has = after.streams[name];
    if (has === undefined) return [`the stream ${name} is missing`];
    return has.last === had.last && has.messages <= had.messages && has.consumers === had.consumers
      ? []
      : [
          `the stream ${name} has ${has.messages} messages up to ${has.last}, ${has.consumers} consumers; and had ${had.messages} up to ${had.last}, ${had.consumers}`,
        ];
  });
  return [...tables, ...keys, ...streams];
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0);

/** The counts in a line. */
export function told({ rows, keys, streams }: Counts): string {
  const messages = total(Object.values(streams).map((each) => each.messages));
  return `${total(Object.values(rows))} rows in ${Object.keys(rows).length} tables, ${total(Object.values(keys))} keys, ${messages} messages in ${Object.keys(streams).length} streams`;
}
