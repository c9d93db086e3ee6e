import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import pg from "pg";
import type { Content } from "./archive.ts";
import { readerOptions, schemaSums } from "./copyOut.ts";
import { feed, lastWords, must } from "./exec.ts";
import { reason } from "./log.ts";
import { dumpPath } from "./manifest.ts";
import { readArchive } from "./readArchive.ts";
import { RECOVERED, Recovery, type RecoveryAnswer, type RecoveryPlan } from "./scratchRecovery.ts";
import { type OwnedSchema, type Reads, restoreArgs, rolesSql, schemasSql } from "./scratchSql.ts";
import { TEST_SOCKET } from "./settings.ts";
import type { TableSum } from "./tables.ts";

/** Where it answers to its health check, on its own loopback: it has no other network. */
export const SCRATCH_HEALTH_PORT = 9181;
/** What the test is asked, as the first file of its archive; the dumps follow, in this order. */
export const PLAN = "plan.json";

export interface Plan {
  readonly database: string;
  readonly schemas: readonly OwnedSchema[];
  readonly reads: Reads;
}

export interface Fault {
  readonly fault: string;
}

/** What became of each schema: its tables, or why it could not be restored; or why there was no test at all. Of a `Plan`. */
export type Answer = { readonly schemas: Readonly<Record<string, readonly TableSum[] | Fault>> } | Fault;

/** Memory: it is gone with the container, however that ends. */
const SCRATCH = "/scratch";
const DATA = join(SCRATCH, "pgdata");
const SOCKET = "/tmp";
const SUPERUSER = "scratch";
const READER = "backup";
/** A schema may bring code that never ends. */
const LIMIT_MS = 2 * 60 * 60 * 1000;
const MAX_PLAN_BYTES = 1024 * 1024;
/** It is thrown away: nothing of it need reach a disk in time, and its log of writes stays small. */
const OPTIONS = [
  ...["listen_addresses=''", `unix_socket_directories=${SOCKET}`, "shared_buffers=32MB", "autovacuum=off"],
  ...["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0"],
  ...["min_wal_size=32MB", "max_wal_size=64MB", "dynamic_shared_memory_type=mmap", "max_connections=20"],
]
  .map((option) => `-c ${option}`)
  .join(" ");

const words = (error: unknown) => reason(error).replaceAll(/\s+/g, " ");

async function superuser(database: string, sql: string): Promise<void> {
  const client = new pg.Client({ host: SOCKET, user: SUPERUSER, database });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function start(plan: Plan): Promise<void> {
  rmSync(DATA, { recursive: true, force: true });
  const how = [`--username=${SUPERUSER}`, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=16"];
  await must("initdb", [`--pgdata=${DATA}`, ...how]);
  await must("pg_ctl", [
    ...[`--pgdata=${DATA}`, `--log=${join(SCRATCH, "log")}`, "--wait", "--silent"],
    ...[`--options=${OPTIONS}`, "start"],
  ]);
  const others = [...new Set([...Object.keys(plan.reads), ...plan.schemas.map(({ schema }) => schema), "exporter"])];
  await superuser("postgres", rolesSql(plan.schemas, READER, others));
  await must("createdb", [`--host=${SOCKET}`, `--username=${SUPERUSER}`, "--template=template0", plan.database]);
  // The superuser's last word: from here on, only the schemas' owners and the reader connect.
  await superuser(plan.database, schemasSql(plan.database, plan.schemas, plan.reads, READER));
}

async function restore({ database }: Plan, { schema, owner }: OwnedSchema, dump: Content): Promise<void> {
  const args = [`--host=${SOCKET}`, ...restoreArgs(owner, schema, database)];
  const ended = await feed("pg_restore", args, async (stdin) => {
    // A program that has ended takes no more; the dump is read to its end all the same.
    for await (const chunk of dump)
      if (stdin.writable && !stdin.write(chunk)) await once(stdin, "drain").catch(() => undefined);
  });
  if (ended.code !== 0) throw new Error(`it cannot be restored: ${lastWords(ended)}`);
}

async function sumsOf(database: string, schema: string): Promise<readonly TableSum[]> {
  const client = new pg.Client({ host: SOCKET, user: READER, database, options: readerOptions() });
  await client.connect();
  try {
    return await schemaSums(client, schema);
  } finally {
    await client.end();
  }
}

/** What comes over a connection, which stays open for the answer. */
async function* bytesOf(socket: Socket): AsyncGenerator<Uint8Array> {
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
}

async function read(content: Content, most: number): Promise<string> {
  let text = Buffer.alloc(0);
  for await (const chunk of content) {
    text = Buffer.concat([text, chunk]);
    if (text.length > most) throw new Error("the plan is too long");
  }
  return text.toString();
}

/** Restores what comes and answers with its sums. */
async function test(socket: Socket): Promise<Answer | RecoveryAnswer> {
  const schemas: Record<string, readonly TableSum[] | Fault> = {};
  let plan: Plan | undefined;
  let recovery: Recovery | undefined;
  for await (const { path, content } of readArchive(bytesOf(socket))) {
    if (path === PLAN) {
      const asked = JSON.parse(await read(content, MAX_PLAN_BYTES)) as Plan | RecoveryPlan;
      if ("recover" in asked) recovery = new Recovery(SCRATCH, SOCKET, asked.recover);
      else {
        plan = asked;
        await start(plan);
      }
      continue;
    }
    if (recovery !== undefined) {
      await recovery.take(path, content);
      continue;
    }
    const found = plan?.schemas.find((each) => dumpPath(each.schema) === path);
    if (plan === undefined || found === undefined) throw new Error(`${path} is in no plan`);
    const fault = await restore(plan, found, content).then(() => undefined, words);
    if (fault !== undefined) schemas[found.schema] = { fault };
  }
  if (recovery !== undefined) return recovery.recover();
  if (plan === undefined) throw new Error("there was no plan");
  const { database } = plan;
  for (const { schema } of plan.schemas)
    schemas[schema] ??= await sumsOf(database, schema).catch((error: unknown) => ({ fault: words(error) }));
  return { schemas };
}

async function stop(): Promise<void> {
  for (const data of [DATA, join(SCRATCH, RECOVERED)])
    await must("pg_ctl", [`--pgdata=${data}`, "--wait", "--silent", "--mode=immediate", "stop"]).catch(() => undefined);
  for (const name of readdirSync(SCRATCH)) rmSync(join(SCRATCH, name), { recursive: true, force: true });
}

async function serveOne(socket: Socket): Promise<void> {
  // The client may go away, and what a schema brings may never end: in both cases the server is ended.
  let ended = false;
  const end = () => {
    ended = true;
    void stop();
  };
  const limit = setTimeout(end, LIMIT_MS);
  socket.once("close", end);
  try {
    const answer = await test(socket).catch(async (error: unknown): Promise<Fault> => {
      // The other side hears the answer when it has said everything.
      if (!ended) for await (const _ of bytesOf(socket));
      return { fault: words(error) };
    });
    if (!ended) await new Promise<void>((resolve) => socket.end(`${JSON.stringify(answer)}\n`, resolve));
  } finally {
    clearTimeout(limit);
    socket.off("close", end).destroy();
    await stop();
  }
}

/** Restores dumps that come over a socket into a Postgres that is thrown away, one after the other. */
export function serveScratch(): void {
  rmSync(TEST_SOCKET, { force: true });
  mkdirSync(dirname(TEST_SOCKET), { recursive: true });
  let before: Promise<unknown> = Promise.resolve();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    before = before.then(() => serveOne(socket)).catch((error: unknown) => process.stderr.write(`${words(error)}\n`));
  });
  // The backup, another user, connects to it; nobody else has the folder.
  server.listen(TEST_SOCKET, () => chmodSync(TEST_SOCKET, 0o666));
  createHttpServer((_, response) => response.end("ok\n")).listen(SCRATCH_HEALTH_PORT, "127.0.0.1");
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));
}
