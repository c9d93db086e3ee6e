import { createReadStream, existsSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveWriter } from "./archive.ts";
import { must } from "./exec.ts";
import { connectToNats, disconnect, saveStreams } from "./jetstream.ts";
import {
  FORMAT,
  GRAFANA_DB,
  MANIFEST,
  type Manifest,
  missing,
  REDIS_DUMP,
  STATE_FILE,
  savedTables,
  VOLUMES_DIR,
} from "./manifest.ts";
import { savePostgres } from "./postgres.ts";
import { countedKeys, redisDump } from "./redis.ts";
import { BackupError, forget, openRepository, repositoryBytes, save, snapshots } from "./restic.ts";
import { copyAndNote } from "./second.ts";
import { SCRATCH_FILE, type Settings, STATE_EXPORT } from "./settings.ts";
import { saveSqlite } from "./sqlite.ts";
import { note, readStatus } from "./status.ts";
import { addTree } from "./tree.ts";

export interface BackupResult {
  readonly id: string;
  readonly bytes: number;
  /** What the repository grew by. */
  readonly added: number;
  readonly seconds: number;
  readonly tables: number;
  readonly rows: number;
  /** Why the copy to the second repository failed. The backup is good all the same. */
  readonly copyFailed?: string;
}

async function saveVolumes(volumes: Settings["volumes"], archive: ArchiveWriter): Promise<Manifest["volumes"]> {
  const saved: { name: string; changed: string[] }[] = [];
  for (const [name, from] of Object.entries(volumes))
    saved.push({ name, changed: await addTree(archive, from, join(VOLUMES_DIR, name)) });
  return saved;
}

async function saveJetstream(archive: ArchiveWriter) {
  const nats = await connectToNats();
  try {
    return { streams: await saveStreams(nats, archive), version: nats.info?.version ?? "unknown" };
  } finally {
    await disconnect(nats);
  }
}

async function saveGrafana(from: string, archive: ArchiveWriter): Promise<void> {
  try {
    await saveSqlite(from, SCRATCH_FILE);
    const { size, mode, mtimeMs } = await stat(SCRATCH_FILE);
    const head = { path: GRAFANA_DB, mode: mode & 0o777, mtime: mtimeMs / 1000 };
    await archive.file(head, size, createReadStream(SCRATCH_FILE));
  } finally {
    await rm(SCRATCH_FILE, { force: true });
  }
}

/** The first version-like word that a program says of itself. */
async function versionOf(program: string, ...args: readonly string[]): Promise<string> {
  return /\d+(\.\d+)+/.exec(await must(program, args))?.[0] ?? "unknown";
}

/** Collects everything that is saved. The manifest comes last: without it, a snapshot is none. */
async function collect(settings: Settings, archive: ArchiveWriter): Promise<Manifest> {
  const startedAt = new Date().toISOString();
  // The stream before those who work on it: restored, it may bring a message again that they know already, which each of
  // them counts once; the other way round a message would be lost.
  const { streams, version } = await saveJetstream(archive);
  const dump = countedKeys(redisDump());
  await archive.stream(REDIS_DUMP, dump.content);
  const keys = await dump.keys();
  const { version: server, ...postgres } = await savePostgres(settings.database, settings.reads, archive);
  await saveGrafana(settings.grafana, archive);
  const hasState = existsSync(STATE_EXPORT);
  if (hasState) await archive.text(STATE_FILE, await readFile(STATE_EXPORT, "utf8"));
  // Last: a restore that wants another piece need not read them.
  const volumes = await saveVolumes(settings.volumes, archive);
  const manifest: Manifest = {
    format: FORMAT,
    stack: settings.stack,
    environment: settings.environment,
    startedAt,
    finishedAt: new Date().toISOString(),
    versions: {
      postgres: server,
      pg_dump: await versionOf("pg_dump", "--version"),
      nats: version,
      restic: await versionOf("restic", "version"),
      node: process.versions.node,
    },
    postgres,
    redis: { keys },
    jetstream: streams,
    volumes,
    stateExportedAt: hasState ? (await stat(STATE_EXPORT)).mtime.toISOString() : null,
    files: archive.sums,
    broken: archive.broken,
  };
  await archive.text(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function backUp(settings: Settings): Promise<BackupResult> {
  const start = Date.now();
  await openRepository();
  let [tables, rows, lacks]: [number, number, readonly string[]] = [0, 0, []];
  const saved = await save(settings.stack, async (archive) => {
    const manifest = await collect(settings, archive);
    const all = savedTables(manifest);
    [tables, rows] = [all.length, all.reduce((sum, table) => sum + table.rows, 0)];
    lacks = missing(manifest.postgres);
    return { rows, partial: lacks.length > 0 };
  });
  await forget(settings.stack);
  const seconds = Math.round((Date.now() - start) / 100) / 10;
  note({
    ...{ seconds, bytes: saved.bytes, repositoryBytes: await repositoryBytes() },
    ...{ snapshots: (await snapshots()).length, missing: lacks.length },
    ...(lacks.length > 0 ? {} : { lastSuccess: Date.now() }),
  });
  const copyFailed = settings.s3 === undefined ? undefined : await copyAndNote(settings.s3, settings.stack);
  if (lacks.length > 0)
    throw new BackupError(`backup ${saved.id} was made, and lacks parts of Postgres: ${lacks.join("; ")}`);
  return { ...saved, seconds, tables, rows, ...(copyFailed === undefined ? {} : { copyFailed }) };
}

/** Makes a backup and notes how it went. */
export async function makeBackup(settings: Settings): Promise<BackupResult> {
  const lastRun = Date.now();
  try {
    const result = await backUp(settings);
    note({ lastRun, lastOk: true });
    return result;
  } catch (error) {
    note({ lastRun, lastOk: false, failures: (readStatus().failures ?? 0) + 1 });
    throw error;
  }
}
