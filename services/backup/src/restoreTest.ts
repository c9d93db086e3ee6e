import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { openSnapshot } from "./backup.ts";
import { must } from "./exec.ts";
import { POSTGRES_DUMP } from "./manifest.ts";
import { BackupError, checkRepository } from "./restic.ts";
import { SCRATCH, type Settings, TESTED } from "./settings.ts";
import { note, readStatus } from "./status.ts";
import { sumSettings, type TableSum, tableDifferences, tableSums } from "./tables.ts";

export interface RestoreTestResult {
  readonly snapshot: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
}

const SOCKET = "/tmp";
const USER = "scratch";
/** It is thrown away: nothing of it need reach the disk in time. */
const OPTIONS = `-c listen_addresses='' -c unix_socket_directories=${SOCKET} -c fsync=off -c full_page_writes=off -c shared_buffers=32MB`;

/** Restores the dump into a Postgres of its own, reached by nobody else, and sums its tables. */
async function restoredSums(dump: string, database: string): Promise<readonly TableSum[]> {
  const data = join(SCRATCH, "pgdata");
  await rm(SCRATCH, { recursive: true, force: true });
  await mkdir(SCRATCH, { recursive: true });
  await must("initdb", [
    `--pgdata=${data}`,
    `--username=${USER}`,
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
  ]);
  await must("pg_ctl", [
    ...[`--pgdata=${data}`, `--log=${join(SCRATCH, "log")}`, "--wait", "--silent"],
    ...[`--options=${OPTIONS}`, "start"],
  ]);
  try {
    const where = [`--host=${SOCKET}`, `--username=${USER}`];
    await must("createdb", [...where, database]);
    // Roles and grants are the stack's own, made at every start; the rows are what is tested.
    await must("pg_restore", [...where, `--dbname=${database}`, "--no-owner", "--no-acl", "--exit-on-error", dump]);
    const client = new pg.Client({ host: SOCKET, user: USER, database });
    await client.connect();
    try {
      await client.query(sumSettings);
      return await tableSums(async (sql) => (await client.query<Record<string, unknown>>(sql)).rows);
    } finally {
      await client.end();
    }
  } finally {
    await must("pg_ctl", [`--pgdata=${data}`, "--wait", "--silent", "--mode=immediate", "stop"]);
  }
}

async function test(settings: Settings): Promise<RestoreTestResult> {
  const start = Date.now();
  await checkRepository();
  const manifest = await openSnapshot("latest", TESTED, settings);
  const found = await restoredSums(join(TESTED, POSTGRES_DUMP), manifest.postgres.database);
  const differences = tableDifferences(manifest.postgres.tables, found);
  if (differences.length > 0) throw new BackupError(`the restored database differs: ${differences.join("; ")}`);
  return {
    snapshot: manifest.finishedAt,
    tables: found.length,
    rows: found.reduce((sum, table) => sum + table.rows, 0),
    seconds: Math.round((Date.now() - start) / 100) / 10,
  };
}

/** Restores the newest backup as a test, notes how it went, and leaves nothing behind. */
export async function makeRestoreTest(settings: Settings): Promise<RestoreTestResult> {
  try {
    const result = await test(settings);
    note({ lastGoodTest: Date.now(), lastTestOk: true });
    return result;
  } catch (error) {
    note({ lastTestOk: false, testFailures: (readStatus().testFailures ?? 0) + 1 });
    throw error;
  } finally {
    for (const directory of [TESTED, SCRATCH]) await rm(directory, { recursive: true, force: true });
  }
}
