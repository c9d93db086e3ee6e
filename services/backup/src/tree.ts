import type { Dirent } from "node:fs";
import { createReadStream } from "node:fs";
import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveWriter } from "./archive.ts";

/** How often a file is read again if it changed meanwhile. */
const TRIES = 3;

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

/** Writes one file, each try after the other: the last one counts. @returns false when it changed at every try */
async function addStill(archive: ArchiveWriter, from: string, path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const before = await stat(from);
    const head = { path, mode: before.mode & 0o777, mtime: before.mtimeMs / 1000 };
    await archive.file(head, before.size, createReadStream(from, { highWaterMark: 1024 * 1024 }));
    const after = await stat(from);
    if (before.mtimeMs === after.mtimeMs && before.size === after.size) return true;
    if (attempt === TRIES) return false;
  }
}

async function addEntry(archive: ArchiveWriter, entry: Dirent, from: string, to: string, path: string) {
  const [source, target] = [join(from, path), join(to, path)];
  if (entry.isDirectory()) {
    const { mode, mtimeMs } = await stat(source);
    await archive.add({ path: target, type: "directory", mode: mode & 0o777, mtime: mtimeMs / 1000 });
    return addTree(archive, from, to, path);
  }
  if (entry.isSymbolicLink())
    await archive.add({ path: target, type: "link", mode: 0o777, mtime: 0, target: await readlink(source) });
  else if (entry.isFile() && !(await addStill(archive, source, target))) return [path];
  return [];
}

/**
 * Writes a directory, whose owner goes on writing, into an archive: files, folders and links, with their modes and times. A file
 * that goes away meanwhile was not to be kept.
 * @param below the part of the directory that is written
 * @returns the files that changed while they were read
 * @throws for a file that may not be read: a backup that leaves something out is none
 */
export async function addTree(archive: ArchiveWriter, from: string, to: string, below = ""): Promise<string[]> {
  const changed: string[] = [];
  const entries = await readdir(join(from, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    try {
      changed.push(...(await addEntry(archive, entry, from, to, join(below, entry.name))));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return changed;
}
