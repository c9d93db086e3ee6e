/** What a table holds: its rows, and a checksum of them that does not depend on their order. */
export interface TableSum {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly checksum: string;
}

export type Row = Readonly<Record<string, unknown>>;
export type Query = (sql: string) => Promise<readonly Row[]>;

/** A row's text must be the same in every session. */
export const sumSettings = [
  "SET timezone = 'UTC'",
  "SET datestyle = 'ISO'",
  "SET intervalstyle = 'postgres'",
  "SET extra_float_digits = 1",
  "SET bytea_output = 'hex'",
].join("; ");

/** Every table of the database's own. */
const tablesSql = `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1, 2`;

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The sum of the first 64 bits of each row's SHA-256. */
function sumSql(schema: string, name: string): string {
  const hash = "encode(sha256(convert_to(autollm_row::text, 'UTF8')), 'hex')";
  return `SELECT count(*) AS rows, coalesce(sum(('x' || substr(${hash}, 1, 16))::bit(64)::bigint), 0)::text AS checksum
    FROM ONLY ${quoted(schema)}.${quoted(name)} autollm_row`;
}

/** Counts and sums every table, all in the transaction that `query` runs in. */
export async function tableSums(query: Query): Promise<readonly TableSum[]> {
  const sums: TableSum[] = [];
  for (const { schema, name } of await query(tablesSql)) {
    const [row] = await query(sumSql(String(schema), String(name)));
    sums.push({
      schema: String(schema),
      name: String(name),
      rows: Number(row?.rows ?? 0),
      checksum: String(row?.checksum),
    });
  }
  return sums;
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
