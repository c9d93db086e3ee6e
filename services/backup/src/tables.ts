import { hash } from "node:crypto";

/** What a table holds: its rows, and a checksum of them that does not depend on their order. */
export interface TableSum {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly checksum: string;
}

/**
 * Settings of a session that reads everybody's tables. A row's text is the same in every session; and no code of a table's owner
 * runs with the reader's rights: names are looked up in pg_catalog alone, no policy of a row is evaluated, and no view is read,
 * also not one that takes a table's name at the wrong moment.
 */
export const readerSettings: Readonly<Record<string, string>> = {
  timezone: "UTC",
  datestyle: "ISO",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  search_path: "",
  row_security: "off",
  restrict_nonsystem_relation_kind: "view,foreign-table",
};

/** The tables of a schema, of which `$1` is the name. */
export const tablesSql = `SELECT c.relname AS name FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = $1 ORDER BY 1`;

/** A name as SQL takes it. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/**
 * Reads a table's rows. Not a SELECT: to plan one, Postgres runs functions of the table's owner (an index's or a statistic's, and
 * casts) with the rights of the role that asks; COPY of a table plans nothing.
 */
export const copySql = (schema: string, name: string) => `COPY ${quoted(schema)}.${quoted(name)} TO STDOUT`;

const NEWLINE = 0x0a;

/** Counts and sums the rows that COPY writes, one a line: the sum of the first 64 bits of each line's SHA-256. */
export class RowSum {
  #rows = 0;
  #sum = 0n;
  #rest: Uint8Array[] = [];

  add(chunk: Uint8Array): void {
    for (let from = 0; ; ) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) {
        if (from < chunk.length) this.#rest.push(Buffer.from(chunk.subarray(from)));
        return;
      }
      const line = chunk.subarray(from, end);
      this.#add(this.#rest.length === 0 ? line : Buffer.concat([...this.#rest, line]));
      this.#rest = [];
      from = end + 1;
    }
  }

  #add(line: Uint8Array): void {
    this.#rows += 1;
    this.#sum += hash("sha256", line, "buffer").readBigInt64BE(0);
  }

  /** @throws where the last line is cut short */
  of(schema: string, name: string): TableSum {
    if (this.#rest.length > 0) throw new Error(`the rows of ${schema}.${name} end within a row`);
    return { schema, name, rows: this.#rows, checksum: this.#sum.toString() };
  }
}

/** What differs between what was saved and what is there now, in words; empty when nothing does. */
export function tableDifferences(saved: readonly TableSum[], found: readonly TableSum[]): string[] {
  const key = ({ schema, name }: TableSum) => `${schema}.${name}`;
  const there = new Map(found.map((sum) => [key(sum), sum]));
  const missing = saved.flatMap((sum) => {
    const now = there.get(key(sum));
    if (now === undefined) return [`${key(sum)} is missing`];
    if (now.rows !== sum.rows) return [`${key(sum)} has ${now.rows} rows, not ${sum.rows}`];
    return now.checksum === sum.checksum ? [] : [`${key(sum)} has other rows than were saved`];
  });
  const known = new Set(saved.map(key));
  return [...missing, ...found.filter((sum) => !known.has(key(sum))).map((sum) => `${key(sum)} was not saved`)];
}
