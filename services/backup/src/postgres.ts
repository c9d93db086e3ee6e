import pg from "pg";
import { must } from "./exec.ts";
import { requireSecret } from "./settings.ts";
import { sumSettings, type TableSum, tableSums } from "./tables.ts";

export interface PostgresSaved {
  readonly database: string;
  readonly major: number;
  readonly version: string;
  readonly tables: readonly TableSum[];
}

const HOST = "postgres";
const USER = "backup";

/** Dumps the database into a file, and sums its tables: both see the same moment, by a snapshot that they share. */
export async function savePostgres(database: string, file: string): Promise<PostgresSaved> {
  const password = requireSecret("postgres-backup");
  const client = new pg.Client({ host: HOST, user: USER, password, database, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(sumSettings);
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const { rows } = await client.query<{ snapshot: string; number: number; version: string }>(
      "SELECT pg_export_snapshot() AS snapshot, current_setting('server_version_num')::int AS number, current_setting('server_version') AS version",
    );
    const [server] = rows;
    if (server === undefined) throw new Error("Postgres exports no snapshot");
    // restic compresses: what does not change stays the same bytes, and is stored once.
    const form = ["--format=custom", "--compress=none", `--snapshot=${server.snapshot}`, `--file=${file}`];
    const where = [`--host=${HOST}`, `--username=${USER}`, `--dbname=${database}`, "--no-password"];
    await must("pg_dump", [...where, ...form], { env: { PGPASSWORD: password } });
    const tables = await tableSums(async (sql) => (await client.query<Record<string, unknown>>(sql)).rows);
    return { database, major: Math.floor(server.number / 10_000), version: server.version, tables };
  } finally {
    await client.end();
  }
}
