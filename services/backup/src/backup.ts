import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must } from "./exec.ts";
import { copyTree, sums } from "./files.ts";
import { connectToNats, saveStreams } from "./jetstream.ts";
import {
  FORMAT,
  GRAFANA_DB,
  JETSTREAM_DIR,
  MANIFEST,
  type Manifest,
  manifestFaults,
  POSTGRES_DUMP,
  REDIS_DUMP,
  STATE_FILE,
  VOLUMES_DIR,
} from "./manifest.ts";
import { savePostgres } from "./postgres.ts";
import { keysOf, saveRedis } from "./redis.ts";
import { BackupError, copyTo, forget, openRepository, readBack, repositoryBytes, save, snapshots } from "./restic.ts";
import { COLLECTED, type Settings, STATE_EXPORT } from "./settings.ts";
import { checkSqlite, saveSqlite } from "./sqlite.ts";
import { note, readStatus } from "./status.ts";

export interface BackupResult {
  readonly id: string;
  readonly bytes: number;
  /** What the repository grew by. */
  readonly added: number;
  readonly seconds: number;
  readonly tables: number;
  readonly rows: number;
}

/** An empty directory. */
async function fresh(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  return path;
}

async function saveVolumes(volumes: Settings["volumes"], directory: string): Promise<Manifest["volumes"]> {
  const saved: { name: string; changed: string[] }[] = [];
  for (const [name, from] of Object.entries(volumes))
    saved.push({ name, changed: await copyTree(from, join(directory, name)) });
  return saved;
}

async function saveJetstream(directory: string) {
  const nats = await connectToNats();
  try {
    return { streams: await saveStreams(nats, directory), version: nats.info?.version ?? "unknown" };
  } finally {
    await nats.close();
  }
}

/** The first version-like word that a program says of itself. */
async function versionOf(program: string, ...args: readonly string[]): Promise<string> {
  return /\d+(\.\d+)+/.exec(await must(program, args))?.[0] ?? "unknown";
}

/** Collects everything that is saved. The manifest comes last: without it, a snapshot is none. */
async function collect(settings: Settings): Promise<Manifest> {
  const startedAt = new Date().toISOString();
  const at = (name: string) => join(COLLECTED, name);
  await fresh(COLLECTED);
  // The stream before those who work on it: restored, it may bring a message again that they know already, which each of
  // them counts once; the other way round a message would be lost.
  const { streams, version } = await saveJetstream(at(JETSTREAM_DIR));
  const { keys } = await saveRedis(at(REDIS_DUMP));
  const postgres = await savePostgres(settings.database, at(POSTGRES_DUMP));
  await saveSqlite(settings.grafana, at(GRAFANA_DB));
  const volumes = await saveVolumes(settings.volumes, at(VOLUMES_DIR));
  const hasState = existsSync(STATE_EXPORT);
  if (hasState) await copyFile(STATE_EXPORT, at(STATE_FILE));
  const manifest: Manifest = {
    format: FORMAT,
    stack: settings.stack,
    environment: settings.environment,
    startedAt,
    finishedAt: new Date().toISOString(),
    versions: {
      postgres: postgres.version,
      pg_dump: await versionOf("pg_dump", "--version"),
      nats: version,
      "redis-cli": await versionOf("redis-cli", "--version"),
      restic: await versionOf("restic", "version"),
      node: process.versions.node,
    },
    postgres: { database: postgres.database, major: postgres.major, tables: postgres.tables },
    redis: { keys },
    jetstream: streams,
    volumes,
    stateExportedAt: hasState ? (await stat(STATE_EXPORT)).mtime.toISOString() : null,
    files: await sums(COLLECTED),
  };
  await writeFile(at(MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function backUp(settings: Settings): Promise<BackupResult> {
  const start = Date.now();
  await openRepository();
  let result: Omit<BackupResult, "seconds">;
  try {
    const { tables } = (await collect(settings)).postgres;
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    result = { ...(await save(settings.stack, rows)), tables: tables.length, rows };
  } finally {
    // It is not encrypted.
    await rm(COLLECTED, { recursive: true, force: true });
  }
  await forget(settings.stack);
  if (settings.s3 !== undefined) await copyTo(settings.s3, settings.stack);
  const seconds = Math.round((Date.now() - start) / 100) / 10;
  const { bytes } = result;
  note({ seconds, bytes, repositoryBytes: await repositoryBytes(), snapshots: (await snapshots()).length });
  return { ...result, seconds };
}

/** Makes a backup and notes how it went. */
export async function makeBackup(settings: Settings): Promise<BackupResult> {
  const lastRun = Date.now();
  try {
    const result = await backUp(settings);
    note({ lastRun, lastSuccess: Date.now(), lastOk: true });
    return result;
  } catch (error) {
    note({ lastRun, lastOk: false, failures: (readStatus().failures ?? 0) + 1 });
    throw error;
  }
}

/** Reads a snapshot back into a directory and proves that it is whole, piece by piece. */
export async function openSnapshot(id: string, directory: string, settings: Settings): Promise<Manifest> {
  await readBack(id, await fresh(directory));
  const at = (name: string) => join(directory, name);
  const refuse = (why: string) => new BackupError(`snapshot ${id} is not whole, so it is not restored: ${why}`);
  if (!existsSync(at(MANIFEST))) throw refuse("it has no manifest");
  const manifest = JSON.parse(await readFile(at(MANIFEST), "utf8")) as Manifest;
  const faults = manifestFaults(manifest, await sums(directory, [MANIFEST]), Object.keys(settings.volumes));
  if (faults.length > 0) throw refuse(faults.join("; "));
  await must("pg_restore", ["--list", at(POSTGRES_DUMP)]);
  const keys = await keysOf(at(REDIS_DUMP));
  if (keys !== manifest.redis.keys) throw refuse(`Redis has ${keys} keys, not ${manifest.redis.keys}`);
  checkSqlite(at(GRAFANA_DB));
  return manifest;
}
