import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { Content } from "./archive.ts";
import { type Ended, type ExecOptions, feed, lastWords, output } from "./exec.ts";
import { awsRegion, bucketOf, DEFAULT_REGION } from "./s3.ts";
import { keyMark, requireSecret, secret } from "./settings.ts";
import { baseOf, SEGMENT, type Stored } from "./walPlan.ts";
import { WAL_HOME } from "./walSettings.ts";

/** Where pg_receivewal writes, a folder for each cluster: what is here is not stored yet. */
export const SPOOL = join(WAL_HOME, "spool");
/** What is stored, encrypted. */
export const REPOSITORY = join(WAL_HOME, "repository");
const GZ = ".gz";
/** A timeline's history, which a later restore must know so that it takes another number. */
const HISTORY = /^[0-9A-F]{8}\.history\.gz$/;

/** rclone's names of the places: decrypted and encrypted on the way. */
const OPENED = "opened:";
const SECOND = "second:";
/** A transfer that does not move is given up, and tried at the next turn. */
const PATIENCE = ["--contimeout", "10s", "--timeout", "30s", "--retries", "1", "--low-level-retries", "2"];

/**
 * Runs rclone on what it is given.
 * @param what the fault in one line, before rclone's own last words
 * @param given its stdin
 * @returns what it said
 * @throws when it fails
 */
async function rclone(
  what: string,
  args: readonly string[],
  options: ExecOptions,
  given: string | ((stdin: Writable) => Promise<void>) = "",
): Promise<string> {
  const write = typeof given === "string" ? async (stdin: Writable) => void stdin.write(given) : given;
  const ended = await feed("rclone", args, write, options);
  if (ended.code !== 0) throw new RcloneError(what, ended);
  return ended.stdout;
}

class RcloneError extends Error {
  readonly code: number;

  constructor(what: string, ended: Ended) {
    super(`${what}: ${lastWords(ended, 1)}`);
    this.code = ended.code;
  }
}

/** rclone's exit code for a folder that does not exist. */
const NO_FOLDER = 3;
/** Options with which it copies the files whose names are on its stdin. */
const NAMED = ["--files-from-raw", "-", "--no-traverse"];

/** Settings of rclone's places, as its environment: a command line is seen by others. */
async function environment(s3?: string, key = requireSecret("backup-key")): Promise<ExecOptions> {
  const base = { HOME: "/tmp", RCLONE_CONFIG: "", GOMEMLIMIT: "48MiB" };
  // rclone wants it folded; that hides nothing, and is undone by anybody.
  const folded = await rclone("the key cannot be used", ["obscure", "-"], { env: base }, key);
  const opened = {
    RCLONE_CONFIG_OPENED_TYPE: "crypt",
    RCLONE_CONFIG_OPENED_REMOTE: REPOSITORY,
    RCLONE_CONFIG_OPENED_PASSWORD: folded.trim(),
    // The names are Postgres's own and tell nothing; so what is too old is found without the key.
    RCLONE_CONFIG_OPENED_FILENAME_ENCRYPTION: "off",
    RCLONE_CONFIG_OPENED_DIRECTORY_NAME_ENCRYPTION: "false",
    RCLONE_CONFIG_OPENED_SUFFIX: "none",
  };
  if (s3 === undefined) return { env: { ...base, ...opened } };
  const { origin, hostname } = new URL(bucketOf(s3).url);
  const region = awsRegion(hostname);
  const second = {
    RCLONE_CONFIG_SECOND_TYPE: "s3",
    RCLONE_CONFIG_SECOND_PROVIDER: region === undefined ? "Other" : "AWS",
    RCLONE_CONFIG_SECOND_ENDPOINT: origin,
    RCLONE_CONFIG_SECOND_REGION: region ?? DEFAULT_REGION,
    RCLONE_CONFIG_SECOND_FORCE_PATH_STYLE: "true",
    RCLONE_CONFIG_SECOND_ACCESS_KEY_ID: requireSecret("s3-access-key"),
    RCLONE_CONFIG_SECOND_SECRET_ACCESS_KEY: requireSecret("s3-secret-key"),
    // Its key may create no bucket.
    RCLONE_CONFIG_SECOND_NO_CHECK_BUCKET: "true",
  };
  return { env: { ...base, ...opened, ...second } };
}

/** The folder in the second place: beside restic's, under the same rights. */
export function secondFolder(s3: string): string {
  const { url, folder } = bucketOf(s3);
  return [new URL(url).pathname.slice(1), folder, "wal"].filter((part) => part !== "").join("/");
}

/** A power cut may not take what the spool no longer has. */
function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
};

/** Where pg_receivewal writes a cluster's log. */
export function spoolOf(cluster: string): string {
  const folder = join(SPOOL, cluster);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

const isSegment = (name: string) => name.endsWith(GZ) && SEGMENT.test(name.slice(0, -GZ.length));
const isWhole = (name: string) => HISTORY.test(name) || isSegment(name);

/** The clusters of which something whole waits in the spool. */
export const waiting = (): string[] => list(SPOOL).filter((cluster) => list(join(SPOOL, cluster)).some(isWhole));

/** Encrypts the whole files of a cluster's spool into the repository, and removes them from the spool when they are on the disk. */
export async function store(cluster: string): Promise<void> {
  const spool = join(SPOOL, cluster);
  const names = list(spool).filter(isWhole);
  if (names.length === 0) return;
  const target = join(REPOSITORY, cluster, "wal");
  const args = ["copy", spool, `${OPENED}${cluster}/wal`, ...NAMED, "--transfers", "1"];
  await rclone("WAL cannot be stored", args, await environment(), names.join("\n"));
  for (const name of names) sync(join(target, name));
  for (const folder of [target, join(REPOSITORY, cluster), REPOSITORY]) sync(folder);
  for (const name of names) await rm(join(spool, name), { force: true });
}

/**
 * Before log is received from another place than where it ended: pg_receivewal goes on after the newest file that it finds.
 * What is whole is stored first.
 */
export async function emptySpool(cluster: string): Promise<void> {
  await store(cluster);
  await rm(join(SPOOL, cluster), { recursive: true, force: true });
}

/** Encrypts a base backup into the repository; it has its name when it is whole. */
export async function storeBase(
  cluster: string,
  write: (stdin: NodeJS.WritableStream) => Promise<string>,
): Promise<string> {
  const part = `${cluster}/base/unfinished`;
  await rm(join(REPOSITORY, part), { force: true });
  let name = "";
  await rclone("the base backup cannot be stored", ["rcat", `${OPENED}${part}`], await environment(), async (stdin) => {
    name = await write(stdin);
  });
  sync(join(REPOSITORY, part));
  await rename(join(REPOSITORY, part), join(REPOSITORY, cluster, "base", name));
  sync(join(REPOSITORY, cluster, "base"));
  return name;
}

interface StoredFile {
  readonly name: string;
  readonly bytes: number;
  /** When its content was written: milliseconds since 1970. */
  readonly at: number;
}

/** Folders as they were last read. Their files do not change: what comes and goes changes the folder. */
const folders = new Map<string, { readonly changed: number; readonly files: ReadonlyMap<string, StoredFile> }>();

function filesIn(folder: string): StoredFile[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return [];
  const before = folders.get(folder);
  if (before?.changed === found.mtimeMs) return [...before.files.values()];
  const files = list(folder).flatMap((name) => {
    const known = before?.files.get(name);
    if (known !== undefined) return [known];
    const file = statSync(join(folder, name), { throwIfNoEntry: false });
    return file === undefined ? [] : [{ name, bytes: file.size, at: file.mtimeMs }];
  });
  // What is being written has no name of its own yet.
  const whole = files.filter(({ name }) => isWhole(name) || baseOf(name) !== undefined);
  folders.set(folder, { changed: found.mtimeMs, files: new Map(whole.map((file) => [file.name, file])) });
  return whole;
}

const walOf = (cluster: string) => filesIn(join(REPOSITORY, cluster, "wal"));
const basesOf = (cluster: string) => filesIn(join(REPOSITORY, cluster, "base"));

/** What is stored here, cluster by cluster. */
export function stored(): Stored[] {
  return list(REPOSITORY).map((cluster) => ({
    cluster,
    bases: basesOf(cluster).map(({ name, bytes }) => ({ name, bytes })),
    segments: walOf(cluster)
      .filter(({ name }) => isSegment(name))
      .map(({ name, at }) => ({ name: name.slice(0, -GZ.length), at })),
  }));
}

/** Every whole file of the repository, with its bytes; the oldest of each folder first. */
export function files(): Map<string, number> {
  return new Map(
    list(REPOSITORY).flatMap((cluster) => [
      ...basesOf(cluster).map(({ name, bytes }) => [`${cluster}/base/${name}`, bytes] as const),
      ...walOf(cluster).map(({ name, bytes }) => [`${cluster}/wal/${name}`, bytes] as const),
    ]),
  );
}

/** Removes files of a cluster from the repository. */
export async function removeStored(cluster: string, folder: "base" | "wal", names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(REPOSITORY, cluster, folder, name), { force: true });
}

/** The name of a segment's file. */
export const segmentFile = (segment: string) => `${segment}${GZ}`;

/** The names of the timelines' histories of a cluster. */
export const histories = (cluster: string): string[] =>
  walOf(cluster).flatMap(({ name }) => (HISTORY.test(name) ? [name] : []));

/** The keys that may open a cluster's files: the present one, or the former one while it is supplied. */
async function opening(cluster: string): Promise<ExecOptions> {
  for (const name of ["backup-key", "backup-key-previous"]) {
    const key = secret(name);
    if (key !== undefined && cluster.endsWith(`-${keyMark(key)}`)) return environment(undefined, key);
  }
  throw new Error(
    `${cluster} was encrypted with another backup-key: supply it as backup-key-previous (docs/backup.md, The key)`,
  );
}

/** A stored base backup as pg_basebackup wrote it. Every piece of it is authenticated. */
export async function* openBase(cluster: string, name: string): AsyncGenerator<Uint8Array> {
  yield* output("rclone", ["cat", `${OPENED}${cluster}/base/${name}`], await opening(cluster));
}

/** Decrypts stored files of WAL into a folder. */
export async function openWal(cluster: string, names: readonly string[], folder: string): Promise<void> {
  const args = ["copy", `${OPENED}${cluster}/wal`, folder, ...NAMED];
  await rclone("WAL cannot be read", args, await opening(cluster), names.join("\n"));
}

/** The paths of what the second place has. */
export async function sentFiles(s3: string): Promise<Set<string>> {
  const args = ["lsf", "--recursive", "--files-only", `${SECOND}${secondFolder(s3)}`, ...PATIENCE];
  try {
    const said = await rclone("the second place does not answer", args, await environment(s3));
    return new Set(said.split("\n").filter((line) => line !== ""));
  } catch (error) {
    // A folder that nothing was sent to is not there.
    if (error instanceof RcloneError && error.code === NO_FOLDER) return new Set();
    throw error;
  }
}

/** Sends encrypted files as they are. */
export async function send(s3: string, paths: readonly string[]): Promise<void> {
  const to = `${SECOND}${secondFolder(s3)}`;
  const args = ["copy", REPOSITORY, to, ...NAMED, "--transfers", "2", ...PATIENCE];
  await rclone("the second place does not take it", args, await environment(s3), paths.join("\n"));
}

/** Takes over from the second place what is not here. */
export async function fetchAll(s3: string): Promise<void> {
  const args = ["copy", `${SECOND}${secondFolder(s3)}`, REPOSITORY, "--ignore-existing", ...PATIENCE];
  await rclone("the second place cannot be read", args, await environment(s3));
}

/** Bytes as they come, to a stream that may be slower. */
export async function pour(content: Content, out: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of content) if (!out.write(chunk)) await new Promise((resolve) => out.once("drain", resolve));
}
