import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import type { createClient } from "redis";

/** Which keys each service may touch in Redis, by their beginning: written apart from the catalogue. */
export const redisKeys: Readonly<Record<string, readonly string[]>> = {
  "gateway-api": ["ratelimit:", "LIMITER/", "LIMITS:"],
  "data-ingestor": ["market:"],
  "risk-manager": ["risk:"],
};

/** The keys' beginnings that a session may write or read: each of the table's, and one of nobody. */
export async function keysReached(session: Pick<ReturnType<typeof createClient>, "sendCommand">): Promise<string[]> {
  const reached = new Set<string>();
  for (const prefix of [...new Set(Object.values(redisKeys).flat()), "hostile:"]) {
    const key = `${prefix}${randomBytes(8).toString("hex")}`;
    for (const command of [
      ["SET", key, "1", "PX", "1000"],
      ["GET", key],
      ["TYPE", key],
      ["DEL", key],
    ]) {
      const refused = await session.sendCommand(command).then(
        () => false,
        (error: unknown) => String(error).includes("NOPERM"),
      );
      if (!refused) reached.add(prefix);
    }
  }
  return [...reached];
}

/** Whose tables each role may write and read: written apart from the catalogue. */
export const postgresSchemas: Readonly<Record<string, { readonly writes: string; readonly reads: readonly string[] }>> =
  {
    gateway_api: { writes: "gateway_api", reads: ["gateway_api", "portfolio_ledger"] },
    portfolio_ledger: { writes: "portfolio_ledger", reads: ["portfolio_ledger"] },
    reporter: { writes: "reporter", reads: ["portfolio_ledger", "reporter"] },
  };

/** What no service's role may do: become another, run a program, read the server's files or passwords, or add code to it. */
const FORBIDDEN = [
  ...["postgres", "backup", "exporter", ...Object.keys(postgresSchemas)].map((role) => `SET ROLE ${role}`),
  "COPY (SELECT 1) TO PROGRAM 'true'",
  "COPY (SELECT 1) TO '/tmp/hostile'",
  "SELECT pg_read_file('/etc/passwd')",
  "SELECT * FROM pg_authid",
  "SELECT lo_import('/etc/passwd')",
  "CREATE EXTENSION dblink",
  "CREATE LANGUAGE plperlu",
  "CREATE SCHEMA hostile",
  "CREATE TABLE public.hostile (x int)",
  "CREATE ROLE hostile",
  "ALTER SYSTEM SET log_statement = 'all'",
  "SELECT pg_reload_conf()",
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
];

/** Tries as a role, and takes all of it back. */
export async function schemasReached(session: Client, role: string) {
  const works = async (sql: string): Promise<boolean> => {
    await session.query("BEGIN");
    try {
      const { rowCount } = await session.query(sql);
      return !sql.startsWith("SELECT pg_terminate") || (rowCount ?? 0) > 0;
    } catch {
      return false;
    } finally {
      await session.query("ROLLBACK");
    }
  };
  const writes: string[] = [];
  const reads: string[] = [];
  for (const schema of Object.keys(postgresSchemas)) {
    if (await works(`CREATE TABLE ${schema}.hostile (x int)`)) writes.push(schema);
    const { rows } = await session.query("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1", [schema]);
    const tables = rows.map(({ tablename }: { tablename: string }) => `${schema}."${tablename}"`);
    for (const table of tables) {
      if ((await works(`SELECT * FROM ${table} LIMIT 1`)) && !reads.includes(schema)) reads.push(schema);
      if ((await works(`DELETE FROM ${table}`)) && !writes.includes(schema)) writes.push(schema);
    }
  }
  const forbidden: string[] = [];
  for (const sql of FORBIDDEN) if (sql !== `SET ROLE ${role}` && (await works(sql))) forbidden.push(sql);
  return { writes, reads, forbidden };
}
