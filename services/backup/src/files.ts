import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readlink, stat, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export interface FileSum {
  /** Relative path. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** How often a file is copied anew when it changed meanwhile. */
const TRIES = 3;

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** Every file below a directory with its size and hash, sorted by path. */
export async function sums(root: string, except: readonly string[] = []): Promise<FileSum[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files: FileSum[] = [];
  for (const entry of entries.filter((each) => each.isFile())) {
    const full = join(entry.parentPath, entry.name);
    const path = full.slice(root.length + 1);
    if (!except.includes(path)) files.push({ path, bytes: (await stat(full)).size, sha256: await sha256(full) });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Copies one file; false when it was written meanwhile at every try. */
async function copyStill(from: string, to: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const before = await stat(from);
    await copyFile(from, to);
    const after = await stat(from);
    await chmod(to, before.mode & 0o777);
    await utimes(to, before.atime, before.mtime);
    if (before.mtimeMs === after.mtimeMs && before.size === after.size) return true;
    if (attempt === TRIES) return false;
  }
}

/**
 * Copies a directory whose owner goes on writing: files, folders and links, with their modes and times. A file that goes away
 * meanwhile was not to be kept.
 * @returns the files that changed while they were copied
 * @throws for a file that may not be read: a backup that leaves something out is none
 */
export async function copyTree(from: string, to: string): Promise<string[]> {
  const changed: string[] = [];
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    try {
      if (entry.isDirectory()) changed.push(...(await copyTree(source, target)).map((path) => join(entry.name, path)));
      else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
      else if (entry.isFile() && !(await copyStill(source, target))) changed.push(entry.name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  await chmod(to, (await stat(from)).mode & 0o777);
  return changed;
}
