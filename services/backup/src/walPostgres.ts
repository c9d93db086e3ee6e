import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import pg from "pg";
import { type Kept, keep, output } from "./exec.ts";
import { requireSecret } from "./settings.ts";
import { baseName, bytesOf, segmentAt } from "./walPlan.ts";
import { pour, storeBase } from "./walStore.ts";

const HOST = "postgres";
const USER = "wal_archive";
/** The place in the log that Postgres keeps for this program: what follows it stays on the server until it was received. */
const SLOT = "wal_archive";

const place = ["--host", HOST, "--username", USER, "--no-password"];
const password = () => ({ env: { PGPASSWORD: requireSecret("postgres-wal-archive") } });

/** Where the server's log ends. */
export interface Position {
  /** Postgres's own identifier of the cluster. */
  readonly system: string;
  readonly timeline: number;
  readonly bytes: number;
}

/** How the slot is: made just now, so that what was written before it may be missing; or as it was. */
export type Slot = "new" | "lost" | "kept";

/** A connection of the kind that replication uses: it reaches no database. */
export class Replication {
  #client: pg.Client | undefined;

  async #ask(command: string): Promise<Record<string, string | null>> {
    if (this.#client === undefined) {
      const client = new pg.Client({
        ...{ host: HOST, user: USER, password: requireSecret("postgres-wal-archive") },
        ...{ replication: "true", connectionTimeoutMillis: 5_000, query_timeout: 10_000 },
      } as pg.ClientConfig);
      client.on("error", () => {
        this.#client = undefined;
      });
      await client.connect();
      this.#client = client;
    }
    try {
      const { rows } = await this.#client.query<Record<string, string | null>>(command);
      return rows[0] ?? {};
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async position(): Promise<Position> {
    const { systemid, timeline, xlogpos } = await this.#ask("IDENTIFY_SYSTEM");
    return { system: String(systemid), timeline: Number(timeline), bytes: bytesOf(String(xlogpos)) };
  }

  /** Seconds after which Postgres closes a segment that has a commit; 0 for never. */
  async switchSeconds(): Promise<number> {
    const [, value = "0", unit = "s"] =
      /^(\d+)(s|min|h)?$/.exec(String((await this.#ask("SHOW archive_timeout")).archive_timeout)) ?? [];
    return Number(value) * { s: 1, min: 60, h: 3600 }[unit as "s" | "min" | "h"];
  }

  /** Makes sure that there is a slot which still has what was not received. */
  async slot(): Promise<Slot> {
    const { slot_type: type, restart_lsn: from } = await this.#ask(`READ_REPLICATION_SLOT ${SLOT}`);
    if (type !== null && from !== null) return "kept";
    if (type !== null) await this.#ask(`DROP_REPLICATION_SLOT ${SLOT}`);
    await this.#ask(`CREATE_REPLICATION_SLOT ${SLOT} PHYSICAL RESERVE_WAL`);
    return type === null ? "new" : "lost";
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}

/** Receives the log as it is written, into a folder. */
export function receive(spool: string): Kept {
  const how = ["--directory", spool, "--slot", SLOT, "--no-loop", "--compress", "gzip:1", "--status-interval", "5"];
  return keep("pg_receivewal", [...place, ...how], password());
}

/** The backup's manifest is its last file, and ends with the part of the log that recovery needs at least. */
const TAIL_BYTES = 32 * 1024;
const NEEDED =
  /"Timeline": (\d+), "Start-LSN": "([0-9A-F/]+)", "End-LSN": "([0-9A-F/]+)" \}\s*\],\s*"Manifest-Checksum"/;

/** Hands content on, and keeps its end. */
async function* withTail(
  content: AsyncIterable<Uint8Array>,
  keepTail: (tail: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of content) {
    tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
    yield chunk;
  }
  keepTail(tail);
}

/** Stores a base backup. @returns its file's name */
export function makeBase(cluster: string): Promise<string> {
  return storeBase(cluster, async (stdin) => {
    let tail: Buffer = Buffer.alloc(0);
    const form = ["--pgdata", "-", "--format", "tar", "--wal-method", "none", "--checkpoint", "fast"];
    const copied = withTail(output("pg_basebackup", [...place, ...form], password()), (end) => {
      tail = end;
    });
    await pipeline(copied, createGzip({ level: 1 }), (content) => pour(content, stdin));
    const [, timeline = "", start = "", end = ""] = NEEDED.exec(tail.toString("latin1")) ?? [];
    if (end === "") throw new Error("the base backup's manifest does not say which part of the log it needs");
    const segment = (bytes: number) => segmentAt(Number(timeline), bytes);
    // A segment's end is the next one's beginning.
    return baseName(new Date(), segment(bytesOf(start)), segment(bytesOf(end) - 1));
  });
}
