import { createReadStream, createWriteStream, existsSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { connect } from "@nats-io/transport-node";
import { adoptArchive, volumeSums, writeWithHead } from "./adopt.ts";
import { makeBackup } from "./backup.ts";
import { boltFault } from "./boltFile.ts";
import { endAll } from "./exec.ts";
import { changeGrafanaKey, evictFromGrafana, nameDataSources, provisionedDataSources } from "./grafana.ts";
import { restoreStream } from "./jetstream.ts";
import { runLimiter } from "./limiter.ts";
import { withLock } from "./lock.ts";
import { reason } from "./log.ts";
import { serveNatsMetrics } from "./natsMetrics.ts";
import { grafanaFacts, prepareOldGrafana } from "./oldGrafana.ts";
import { writeOldStreams } from "./oldStreams.ts";
import { fileOf, proveSnapshot, unpack } from "./open.ts";
import { redisDump } from "./redis.ts";
import { BackupError, findSnapshot, openRepository, snapshots } from "./restic.ts";
import { makeRestoreTest } from "./restoreTest.ts";
import { serveScratch } from "./scratch.ts";
import { copyFrom, type PruneRequest, prune } from "./second.ts";
import { serve } from "./serve.ts";
import { keyMark, readSettings, requireSecret, SCRATCH_FILE, STATE_EXPORT } from "./settings.ts";
import { note } from "./status.ts";
import type { KeptStream } from "./streamsApi.ts";
import { runStreams } from "./streamsServe.ts";
import { answerPlan, fetchWal, writeBase, writeWal } from "./walCommands.ts";
import { serveWal } from "./walServe.ts";
import { readWalSettings } from "./walSettings.ts";
import { makeWalTest } from "./walTest.ts";

/** The server that a restore starts for itself may need a moment. */
const START_MS = 20_000;

async function takeStateExport(): Promise<void> {
  await pipeline(process.stdin, createWriteStream(`${STATE_EXPORT}.new`, { mode: 0o600 }));
  await rename(`${STATE_EXPORT}.new`, STATE_EXPORT);
}

/** Reads files from stdin, a line each: its name, a space, its content in base64. */
async function readGiven(): Promise<(name: string) => string> {
  const lines = (await text(process.stdin)).split("\n").map((line) => line.split(" "));
  const files = new Map(lines.map(([name = "", content = ""]) => [name, Buffer.from(content, "base64").toString()]));
  return (name) => {
    const content = files.get(name);
    if (content === undefined || content === "") throw new BackupError(`stdin holds no ${name}`);
    return content;
  };
}

const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** What the container is told to do: `serve` is its own program, the others are run in it by the project's commands. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  serve: () => serve(readSettings()),
  /** The program of another container of this image: NATS's figures for Prometheus. */
  "nats-metrics": async () => serveNatsMetrics(),
  /** The program of another container of this image: keeps NATS's streams. */
  "keep-streams": async () => runStreams(),
  /** What is wrong with a bbolt file; nothing where it is whole. */
  "bolt-fault": async ([file = ""]) => {
    const fault = boltFault(file);
    if (fault !== undefined) process.stdout.write(`${fault}\n`);
  },
  /** The program of another container of this image: limits attempts at the edge. */
  limiter: async () => runLimiter(),
  /** Before Grafana starts: has its database encrypted with its present secret key, and its data sources named as provisioned. */
  "grafana-key": async ([file = "", ...sources]) => {
    const given = await readGiven();
    nameDataSources(file, new Map(sources.map((source) => source.split("=", 2) as [string, string])));
    answer(changeGrafanaKey(file, given("grafana-secret"), given("secret-key-mark")));
  },
  /** Before a database takes another's place: has its data sources named as they are in that one. */
  "grafana-sources": async ([file = "", present = ""]) => {
    answer(nameDataSources(file, provisionedDataSources(present)));
  },
  /** While Grafana runs: ends what was opened under a former password. */
  "grafana-evict": async ([file = ""]) => {
    const given = await readGiven();
    answer(evictFromGrafana(file, { password: given("password-mark"), secretKey: given("secret-key-mark") }));
  },
  /** The program of the container that restores for the weekly test. */
  "restore-test": async () => serveScratch(),
  /** Makes a backup now; with `--state`, stdin is an export of the stack's state. */
  run: ([option]) =>
    withLock(async () => {
      if (option === "--state") await takeStateExport();
      answer(await makeBackup(readSettings()));
    }),
  /** Notes that a recovery kit was made, with the present key. */
  "kit-made": async () => note({ kitMade: Date.now(), kitKey: keyMark(requireSecret("backup-key")) }),
  test: () => withLock(async () => answer(await makeRestoreTest(readSettings()))),
  list: async () => answer(await snapshots()),
  /** Takes over from the second repository what this one lacks. */
  fetch: () =>
    withLock(async () => {
      const { s3 } = readSettings();
      if (s3 === undefined) throw new BackupError("the stack's config names no backup.s3");
      await openRepository();
      await copyFrom(s3);
      answer(await snapshots());
    }),
  /** Reads a snapshot as a whole, proves it, and answers its manifest. */
  open: ([id = "latest"]) =>
    withLock(async () => {
      await openRepository();
      const snapshot = await findSnapshot(id);
      answer({ id: snapshot.id, manifest: await proveSnapshot(snapshot, readSettings()) });
    }),
  /** Writes one file of a snapshot. */
  cat: ([id = "", path = ""]) => withLock(() => pipeline(fileOf(id, path), process.stdout)),
  /** Writes a folder of a snapshot, as an archive. */
  unpack: ([id = "", folder = ""]) => withLock(() => unpack(id, folder, process.stdout)),
  /** The program of another container of this image: stores Postgres's log as it is written. */
  "wal-archive": async () => serveWal(readWalSettings()),
  /** What a restore of Postgres to a moment would read, and which moments there are. */
  "wal-plan": async ([at = "latest"]) => answer(answerPlan(at)),
  /** Writes a base backup that a plan names. */
  "wal-base": ([cluster = "", base = ""]) => writeBase(cluster, base, process.stdout),
  /** Writes the log that a plan names, as an archive. */
  "wal-log": ([cluster = "", first = "", last = ""]) => writeWal(cluster, first, last, process.stdout),
  /** Restores Postgres to a moment as a test, now. */
  "wal-test": async () => answer((await makeWalTest(readWalSettings())) ?? null),
  /** Takes over from the second place what this one lacks. */
  "wal-fetch": async () => answer(await fetchWal()),
  /** Run elsewhere, by an operator who may remove: stdin is a request without a key's file, and the key. */
  prune: async () => {
    const { password, ...request } = JSON.parse(await text(process.stdin)) as Omit<PruneRequest, "key"> & {
      password: string;
    };
    const key = "/tmp/key";
    writeFileSync(key, password, { mode: 0o600 });
    answer(await prune({ ...request, key }));
  },
  /** Saves stdin, the data of an old installation in the form of a backup, as a snapshot. */
  adopt: () =>
    withLock(async () => {
      answer(await adoptArchive(readSettings(), process.stdin));
    }).finally(() => process.stdin.destroy()),
  /** The names and places of what is saved as it is. */
  volumes: async () => answer(readSettings().volumes),
  /** Size and hash of every file in them. */
  "volume-sums": async () => answer(await volumeSums(readSettings())),
  /** Redis as it is now, as a replica takes it. */
  "redis-dump": () => pipeline(redisDump(), process.stdout),
  /** In a container of its own: prepares an old Grafana's database, stdin, to take the place of the one that is named. */
  "old-grafana": async ([present = ""]) => {
    await pipeline(process.stdin, createWriteStream(SCRATCH_FILE));
    if (!existsSync(present)) throw new BackupError("the stack's Grafana has no database yet: start it first");
    const found = prepareOldGrafana(SCRATCH_FILE, present);
    await writeWithHead(found, createReadStream(SCRATCH_FILE), process.stdout);
  },
  /** What of a database of Grafana's is the operators' own. */
  "grafana-facts": async ([file = ""]) => answer(grafanaFacts(file)),
  /** Prepares the streams of a server on this network's loopback to be the stack's, stdin its table, and writes them. */
  "old-streams": async () => {
    const table = JSON.parse(await text(process.stdin)) as readonly KeptStream[];
    const nats = await connect({ servers: "127.0.0.1:4222", waitOnFirstConnect: true, timeout: START_MS });
    await writeOldStreams(nats, table, process.stdout);
    await nats.close();
  },
  /** Puts streams from a directory into an empty server on this network's loopback. */
  streams: async ([directory = "", ...names]) => {
    const nats = await connect({ servers: "127.0.0.1:4222", waitOnFirstConnect: true, timeout: START_MS });
    const restored = [];
    for (const name of names) restored.push(await restoreStream(nats, directory, name));
    await nats.close();
    answer(restored);
  },
};

process.umask(0o077);
const [name = "", ...args] = process.argv.slice(2);
// What is run by itself takes its programs along when it is told to end; what is kept running does so in its own way.
if (!["serve", "restore-test", "nats-metrics", "keep-streams", "wal-archive"].includes(name))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.once(signal, () => void endAll().finally(() => process.exit(1)));
try {
  const command = commands[name];
  if (command === undefined) throw new BackupError(`commands: ${Object.keys(commands).join(", ")}`);
  await command(args);
} catch (error) {
  process.stderr.write(`${reason(error)}\n`);
  process.exitCode = 1;
}
