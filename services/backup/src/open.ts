import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { ArchiveWriter, type Content, type Entry, type FileSum } from "./archive.ts";
import { reason } from "./log.ts";
import { GRAFANA_DB, MANIFEST, type Manifest, manifestFaults, REDIS_DUMP } from "./manifest.ts";
import { readArchive, summed } from "./readArchive.ts";
import { countedKeys } from "./redis.ts";
import { archiveOf, BackupError, findSnapshot, type Snapshot } from "./restic.ts";
import { SCRATCH_FILE, type Settings } from "./settings.ts";
import { checkSqlite } from "./sqlite.ts";

/** A manifest is small: one that is not is none. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

export async function textOf(content: Content): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > MAX_MANIFEST_BYTES) throw new Error("its manifest is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function checkGrafana(content: Content): Promise<void> {
  try {
    await pipeline(content, createWriteStream(SCRATCH_FILE));
    checkSqlite(SCRATCH_FILE);
  } finally {
    await rm(SCRATCH_FILE, { force: true });
  }
}

/** A manifest of the former form names no schemas. */
const current = (manifest: Manifest): Manifest => ({
  ...manifest,
  postgres: { ...{ schemas: [], faults: [], lost: [] }, ...manifest.postgres },
});

/** Sees a piece of a snapshot pass by, and may read it. */
export type Watcher = (path: string, content: Content) => Promise<void>;

/**
 * Reads a snapshot as a whole and proves it, piece by piece, as it passes by: nothing of it is anywhere in plain text.
 * @throws BackupError when it is not whole
 */
export async function proveSnapshot(snapshot: Snapshot, { volumes }: Settings, watch?: Watcher): Promise<Manifest> {
  const refuse = (why: string) =>
    new BackupError(`snapshot ${snapshot.id} cannot be read whole, so it is not restored: ${why}`);
  const found = new Map<string, FileSum>();
  const read: { manifest?: Manifest; keys?: number } = {};
  const look = async (path: string, content: Content) => {
    if (path === MANIFEST) read.manifest = current(JSON.parse(await textOf(content)) as Manifest);
    else if (path === GRAFANA_DB) await checkGrafana(content);
    else if (path === REDIS_DUMP) {
      const counted = countedKeys(content);
      for await (const _ of counted.content);
      read.keys = await counted.keys();
    } else await watch?.(path, content);
  };
  try {
    for await (const entry of readArchive(archiveOf(snapshot))) {
      if (entry.type !== "file") continue;
      const passing = summed(entry.path, entry.content);
      await look(entry.path, passing.content);
      for await (const _ of passing.content);
      if (entry.path !== MANIFEST) found.set(entry.path, passing.sum());
    }
  } catch (error) {
    throw error instanceof BackupError ? error : refuse(reason(error));
  }
  const { manifest, keys } = read;
  if (manifest === undefined) throw refuse("it has no manifest");
  const faults = manifestFaults(manifest, [...found.values()], Object.keys(volumes));
  if (faults.length === 0 && keys !== manifest.redis.keys)
    faults.push(`Redis has ${keys} keys, not ${manifest.redis.keys}`);
  if (faults.length > 0) throw refuse(faults.join("; "));
  return manifest;
}

/** The entries of a snapshot below a folder, as an archive of their own. A file that was saved twice counts as the last one. */
export async function unpack(id: string, folder: string, out: NodeJS.WriteStream): Promise<void> {
  const archive = new ArchiveWriter(out);
  let seen = false;
  for await (const { size, content, ...head } of readArchive(archiveOf(await findSnapshot(id)))) {
    if (!head.path.startsWith(`${folder}/`)) {
      if (seen) break;
      continue;
    }
    seen = true;
    await put(archive, { size, content, ...head, path: head.path.slice(folder.length + 1) });
  }
  await archive.end();
}

/** Writes an entry of another archive. */
export async function put(archive: ArchiveWriter, { size, content, ...head }: Entry): Promise<void> {
  if (head.type !== "file") await archive.add(head);
  else if (size !== undefined) await archive.file(head, size, content);
  else await archive.stream(head.path, content);
}

/** The bytes of one file of a snapshot. */
export async function* fileOf(id: string, path: string): AsyncGenerator<Uint8Array> {
  for await (const entry of readArchive(archiveOf(await findSnapshot(id)))) {
    if (entry.path !== path) continue;
    yield* entry.content;
    return;
  }
  throw new BackupError(`backup ${id} has no ${path}`);
}
