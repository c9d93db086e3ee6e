import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Content } from "./archive.ts";
import { readerOptions, schemaSums } from "./copyOut.ts";
import { execute, feed, lastWords, must } from "./exec.ts";
import type { TableSum } from "./tables.ts";

/** What restore-test is asked in place of dumps: a cluster at a moment, from a base backup and the log after it. */
export interface RecoveryPlan {
  readonly recover: {
    /** The database whose tables are read. */
    readonly database: string;
    /** The moment in ISO's form; absent for the end of the log. */
    readonly target?: string;
  };
}

const STARTS_WITHIN_MS = 60_000;
/** The folder in which recover.sh expects the base backup, and beside it the log. */
export const RECOVERED = "pgdata.restored";
const LOG = "wal.restored";
/** How the two are named in what comes. */
export const BASE_FILE = "base.tar.gz";
export const logFile = (segment: string) => `wal/${segment}`;
const LOG_FILE = /^wal\/([0-9A-F]{8,24}(?:\.history)?\.gz)$/;

/** The script that recovers a cluster, the same as a restore's; components/backup/restoreTest.ts puts it there. */
const SCRIPT = "/etc/autollm/recover.sh";

/** A cluster that was recovered, and read to its end: every page of a table has a checksum, which Postgres compares. */
export interface RecoveryAnswer {
  /** `moment`, or `end` if the log has no commit after it. */
  readonly ended: string;
  /** Up to where the log was read, as Postgres writes a place in it. */
  readonly place: string;
  readonly tables: number;
  readonly rows: number;
}

/**
 * Who reads what was recovered: the role of the platform's backups, which may read every table and do nothing else. A superuser's query
 * would run code of a table's owner with the superuser's rights: Postgres evaluates the expressions of an index as it plans.
 */
const READER = "backup";
const HBA = `local all ${READER} trust\n`;
const SCHEMAS =
  "SELECT nspname AS schema FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";

/** Recovers a cluster to a moment, in a folder that is thrown away. */
export class Recovery {
  readonly #folder: string;
  readonly #socket: string;
  readonly #database: string;
  readonly #target: string;

  constructor(folder: string, socket: string, { database, target }: RecoveryPlan["recover"]) {
    this.#folder = folder;
    this.#socket = socket;
    this.#database = database;
    this.#target = target === undefined ? "" : target.replace("T", " ").replace("Z", "+00");
  }

  /** Takes a file of what is restored. */
  async take(path: string, content: Content): Promise<void> {
    if (path === BASE_FILE) return this.#unpack(content);
    const name = LOG_FILE.exec(path)?.[1];
    if (name === undefined) throw new Error(`${path} is in no plan`);
    await mkdir(join(this.#folder, LOG), { recursive: true, mode: 0o700 });
    await pipeline(content, createWriteStream(join(this.#folder, LOG, name), { mode: 0o600 }));
  }

  async #unpack(content: Content): Promise<void> {
    const data = join(this.#folder, RECOVERED);
    await mkdir(data, { mode: 0o700 });
    const ended = await feed("tar", ["-xz", "-f", "-", "-C", data], async (stdin) => {
      for await (const chunk of content)
        if (stdin.writable && !stdin.write(chunk)) await once(stdin, "drain").catch(() => undefined);
    });
    if (ended.code !== 0) throw new Error(`the base backup cannot be unpacked: ${lastWords(ended)}`);
  }

  /** Recovers what was taken, and reads every row of it. */
  async recover(): Promise<RecoveryAnswer> {
    const ended = await execute("sh", [SCRIPT, this.#target, this.#folder]);
    if (ended.code !== 0) throw new Error(`the cluster was not recovered: ${lastWords(ended)}`);
    const [end = "", place = ""] = ended.stdout.trim().split(" ");
    const data = `--pgdata=${join(this.#folder, RECOVERED)}`;
    const hba = join(this.#folder, "pg_hba.conf");
    await writeFile(hba, HBA);
    // The settings are those with which it was recovered.
    const options = `--options=-c config_file=/tmp/recovery.conf -c autovacuum=off -c hba_file=${hba}`;
    // The superuser may no more connect, and so not ask whether it has started.
    await must("pg_ctl", [data, "--no-wait", "--silent", `--log=${join(this.#folder, "log")}`, options, "start"]);
    const sums = await this.#sums();
    return { ended: end, place, tables: sums.length, rows: sums.reduce((sum, { rows }) => sum + rows, 0) };
  }

  async #sums(): Promise<readonly TableSum[]> {
    const client = await this.#connected();
    try {
      const { rows } = await client.query<{ schema: string }>(SCHEMAS);
      const sums: TableSum[] = [];
      for (const { schema } of rows) sums.push(...(await schemaSums(client, schema)));
      return sums;
    } finally {
      await client.end();
    }
  }

  /** A server that starts refuses connections for a moment. */
  async #connected(): Promise<pg.Client> {
    const end = Date.now() + STARTS_WITHIN_MS;
    for (;;) {
      const client = new pg.Client({
        ...{ host: this.#socket, user: READER, database: this.#database, options: readerOptions() },
      });
      try {
        await client.connect();
        return client;
      } catch (error) {
        if (Date.now() > end) throw error;
        await sleep(200);
      }
    }
  }
}
