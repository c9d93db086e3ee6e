import pg from "pg";
import type { ArchiveWriter } from "./archive.ts";
import { readerOptions, schemaSums } from "./copyOut.ts";
import { output } from "./exec.ts";
import { reason } from "./log.ts";
import { dumpPath, type PostgresSaved, type SavedSchema, SCHEMAS, type SchemaFault } from "./manifest.ts";
import { inOrder, type Reads } from "./scratchSql.ts";
import { requireSecret } from "./settings.ts";
import { quoted } from "./tables.ts";

const HOST = "postgres";
const USER = "backup";
/** How long a lock of somebody else's is waited for. */
const LOCK_WAIT_MS = 60_000;
/** pg_dump waits for other locks than a table's without a limit of its own: silence after which it is ended. */
const SILENCE_MS = 5 * LOCK_WAIT_MS;

/** The schemas of the database's own. Only a plain role's objects are saved: they are restored as that role. */
const schemasSql = `SELECT n.nspname AS schema, r.rolname AS owner, r.rolsuper OR r.rolname ~ '^pg_' AS elevated
  FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
  WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (n.nspname <> 'public' OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)) ORDER BY 1`;

/** Whose large objects there are, which lie in no schema, so that no dump of one holds them. */
const largeObjectsSql = `SELECT DISTINCT r.rolname AS owner FROM pg_catalog.pg_largeobject_metadata l
  JOIN pg_catalog.pg_roles r ON r.oid = l.lomowner`;

/** Who holds the locks that nobody can read beside. */
const holdersSql = `SELECT DISTINCT c.relname AS name, coalesce(a.usename, 'a prepared transaction') AS role
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted AND n.nspname = $1`;

const words = (error: unknown) => reason(error).replaceAll(/\s+/g, " ");

interface Session {
  readonly client: pg.Client;
  readonly database: string;
  readonly password: string;
  readonly snapshot: string;
}

function dumpOf({ database, password, snapshot }: Session, schema: string) {
  const where = [`--host=${HOST}`, `--username=${USER}`, `--dbname=${database}`, "--no-password"];
  // restic compresses: what does not change stays the same bytes, and is stored once.
  const form = ["--format=custom", "--compress=none", `--snapshot=${snapshot}`, `--lock-wait-timeout=${LOCK_WAIT_MS}`];
  // The server ends a session whose client was ended, also one that waits for a lock.
  const env = { PGPASSWORD: password, PGOPTIONS: "-c client_connection_check_interval=10s" };
  return output("pg_dump", [...where, ...form, `--schema=${quoted(schema)}`], { env, silence: SILENCE_MS });
}

async function saveSchema(
  session: Session,
  archive: ArchiveWriter,
  schema: string,
  owner: string,
): Promise<SavedSchema> {
  const { client } = session;
  await client.query("SAVEPOINT before_schema");
  try {
    const tables = await schemaSums(client, schema);
    await archive.stream(dumpPath(schema), dumpOf(session, schema));
    return { schema, owner, tables };
  } catch (error) {
    await client.query("ROLLBACK TO SAVEPOINT before_schema");
    const { rows } = await client.query<{ name: string; role: string }>(holdersSql, [schema]);
    const held = rows.map(({ name, role }) => `${schema}.${name} is locked by role ${role}`);
    throw new Error([...held, words(error)].join("; "), { cause: error });
  }
}

/**
 * Dumps the database into an archive, a file for each schema, and sums its tables: all see the same moment, by a snapshot that
 * they share. A schema that cannot be read, such as one that its owner keeps locked, is told as a fault, and the others are saved.
 */
export async function savePostgres(database: string, reads: Reads, archive: ArchiveWriter): Promise<PostgresSaved> {
  const password = requireSecret("postgres-backup");
  const client = new pg.Client({
    ...{ host: HOST, user: USER, password, database, connectionTimeoutMillis: 10_000 },
    options: readerOptions({ lock_timeout: String(LOCK_WAIT_MS) }),
  });
  // A connection that breaks fails the query that is under way; between two, the next one.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const { rows } = await client.query<{ snapshot: string; number: number; version: string }>(
      "SELECT pg_export_snapshot() AS snapshot, current_setting('server_version_num')::int AS number, current_setting('server_version') AS version",
    );
    const [server] = rows;
    if (server === undefined) throw new Error("Postgres exports no snapshot");
    const session = { client, database, password, snapshot: server.snapshot };
    const [schemas, faults]: [SavedSchema[], SchemaFault[]] = [[], []];
    const found = await client.query<{ schema: string; owner: string; elevated: boolean }>(schemasSql);
    const ordered = inOrder(found.rows, reads);
    await archive.text(SCHEMAS, JSON.stringify(ordered.map(({ schema, owner }) => ({ schema, owner }))));
    for (const { schema, owner, elevated } of ordered) {
      if (elevated) faults.push({ schema, owner, reason: `it belongs to ${owner}, which is no service's role` });
      else
        await saveSchema(session, archive, schema, owner).then(
          (saved) => schemas.push(saved),
          (error: unknown) => faults.push({ schema, owner, reason: words(error) }),
        );
    }
    const outside = await client.query<{ owner: string }>(largeObjectsSql);
    const lost = outside.rows.map(({ owner }) => `large objects of ${owner}`);
    return { database, major: Math.floor(server.number / 10_000), version: server.version, schemas, faults, lost };
  } finally {
    await client.end();
  }
}
