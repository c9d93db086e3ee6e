import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ArchiveWriter, type Content } from "./archive.ts";
import { type Ended, execute, feed, lastWords, output } from "./exec.ts";
import { ARCHIVE, FORMER_FOLDER, REPOSITORY, SECRETS, secret } from "./settings.ts";

/** A fault that a person can repair: told as one line. */
export class BackupError extends Error {}

export interface Snapshot {
  readonly id: string;
  readonly time: string;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Rows of its tables: tells a backup that was made after a loss from one that was made before. */
  readonly rows: number;
  /** Whether something is missing from it, such as a schema that was locked. */
  readonly partial: boolean;
  /** Whether it is an archive, and not a folder as an earlier version made it. */
  readonly archive: boolean;
}

export const KEY = join(SECRETS, "backup-key");
const PREVIOUS_KEY = join(SECRETS, "backup-key-previous");
/** restic's exit codes. */
const NO_REPOSITORY = 10;
const LOCKED = 11;
const WRONG_KEY = 12;

/** Tags of a snapshot: one whose maker was killed keeps the first. */
const UNFINISHED = "unfinished";
const PARTIAL = "partial";
const ROWS = "rows=";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Every one of two days, then the last one of a day; docs/requirements.md: 7 daily, 4 weekly, 12 monthly, and something of each of 30 days. */
export const KEPT = [
  ...["--keep-within", "2d", "--keep-within-daily", "30d"],
  ...["--keep-daily", "7", "--keep-weekly", "4", "--keep-monthly", "12"],
];

/** A repository, and what opens its place besides the key. */
export interface Repository {
  readonly name: string;
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The file that holds its key. Default: the granted one. */
  readonly key?: string;
  /** Whether this container's key may delete there, so that a former key is let out. */
  readonly deletes: boolean;
  /** Removes locks that nobody holds any more, before it is used. */
  readonly release?: () => Promise<void>;
}

export const local: Repository = {
  name: "the repository",
  url: REPOSITORY,
  deletes: true,
  // Nobody else uses it, and here one process at a time: a lock is what a killed one left.
  release: async () => void (await restic(local, ["unlock", "--remove-all"])),
};

const options = ({ url, key = KEY }: Repository, passwordFile = key) => [
  ...["--repo", url, "--password-file", passwordFile, "--no-cache"],
];
const environment = ({ env }: Repository) => ({ env: { HOME: "/tmp", TMPDIR: "/tmp", ...env } });

/** Runs restic. Paths of secrets alone are on its command line. */
export function restic(repository: Repository, args: readonly string[], passwordFile?: string): Promise<Ended> {
  return execute("restic", [...options(repository, passwordFile), ...args], environment(repository));
}

/** As `restic`; a failure throws with what failed and restic's last words. */
export async function must(what: string, args: readonly string[], repository = local): Promise<string> {
  const ended = await restic(repository, args);
  if (ended.code === WRONG_KEY) throw wrongKey(repository);
  if (ended.code !== 0) throw new BackupError(`${what}: ${lastWords(ended)}`);
  return ended.stdout;
}

const wrongKey = ({ name }: Repository) =>
  new BackupError(`${name} does not open with this stack's backup-key: supply the right one (docs/backup.md, The key)`);

/** Lets the present key in, by the former one. */
async function addKey(repository: Repository): Promise<void> {
  const added = await restic(repository, ["key", "add", "--new-password-file", KEY], PREVIOUS_KEY);
  if (added.code === WRONG_KEY) throw wrongKey(repository);
  if (added.code !== 0) throw new BackupError(`the key was not changed: ${lastWords(added)}`);
}

/**
 * Lets the former key out, where this container may delete. It is asked for at each opening and not only after the present one
 * was added: a process that was killed between the two would leave the former key valid for ever.
 */
async function removeFormerKey(repository: Repository): Promise<void> {
  const previous = secret("backup-key-previous");
  if (
    !repository.deletes ||
    previous === undefined ||
    previous.trim() === readFileSync(repository.key ?? KEY, "utf8").trim()
  )
    return;
  const keys = await restic(repository, ["key", "list", "--json"], PREVIOUS_KEY);
  if (keys.code !== 0) return;
  const former = (JSON.parse(keys.stdout) as { id: string; current: boolean }[]).find(({ current }) => current);
  if (former === undefined) return;
  // restic removes a key only under a lock of its own on the whole repository, which the lock of a killed run would prevent.
  await repository.release?.();
  const removed = await restic(repository, ["key", "remove", former.id]);
  // Another process may have removed it meanwhile: what counts is that it opens nothing any more.
  if (removed.code !== 0 && (await restic(repository, ["cat", "config"], PREVIOUS_KEY)).code !== WRONG_KEY)
    throw new BackupError(`the former key is still valid: ${lastWords(removed)}`);
}

/** Opens a repository, by the former key if need be, and answers whether there is one. */
export async function opens(repository: Repository): Promise<boolean> {
  const open = () => restic(repository, ["cat", "config"]);
  let opened = await open();
  if (opened.code === LOCKED) {
    await repository.release?.();
    opened = await open();
  }
  if (opened.code === WRONG_KEY) {
    if (secret("backup-key-previous") === undefined) throw wrongKey(repository);
    await addKey(repository);
  } else if (opened.code !== 0 && opened.code !== NO_REPOSITORY) {
    throw new BackupError(`${repository.name} cannot be opened: ${lastWords(opened)}`);
  }
  if (opened.code === NO_REPOSITORY) return false;
  await removeFormerKey(repository);
  return true;
}

/**
 * Makes sure that the repository is there and opens. One that does not open is never replaced by a new one.
 * @throws BackupError when it does not open
 */
export async function openRepository(): Promise<void> {
  if (await opens(local)) return;
  if (existsSync(REPOSITORY) && (await readdir(REPOSITORY)).length > 0)
    throw new BackupError("the repository is damaged: it has lost its config");
  await must("the repository cannot be made", ["init"]);
}

interface Listed {
  readonly id: string;
  readonly short_id?: string;
  readonly time: string;
  readonly paths?: readonly string[];
  readonly tags?: readonly string[];
  readonly summary?: { readonly total_bytes_processed: number };
}

async function listed(repository = local): Promise<Listed[]> {
  return JSON.parse(await must("the snapshots cannot be listed", ["snapshots", "--json"], repository)) as Listed[];
}

/** Removes the snapshots of runs that were killed, which look whole to restic. */
async function removeUnfinished(): Promise<void> {
  const unfinished = (await listed()).filter(({ tags }) => tags?.includes(UNFINISHED)).map(({ id }) => id);
  if (unfinished.length > 0) await must("an unfinished snapshot cannot be removed", ["forget", ...unfinished]);
}

/** What a run has put into its archive. */
export interface Collected {
  readonly rows: number;
  readonly partial: boolean;
}

/**
 * Saves what `collect` writes: it goes from the programs that dump it to restic, and is nowhere in plain text. A fault of
 * `collect` makes no snapshot.
 */
export async function save(
  stack: string,
  collect: (archive: ArchiveWriter) => Promise<Collected>,
): Promise<{ id: string; bytes: number; added: number }> {
  await local.release?.();
  await removeUnfinished();
  let collected: Collected | undefined;
  const how = ["backup", "--json", "--host", stack, "--group-by", "host,paths", "--tag", UNFINISHED];
  const ended = await feed(
    "restic",
    [...options(local), ...how, "--stdin", "--stdin-filename", ARCHIVE],
    async (stdin) => {
      const archive = new ArchiveWriter(stdin);
      collected = await collect(archive);
      await archive.end();
    },
    environment(local),
  );
  if (ended.code === WRONG_KEY) throw wrongKey(local);
  if (ended.code !== 0) throw new BackupError(`the snapshot cannot be made: ${lastWords(ended)}`);
  const summary = ended.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find(({ message_type }) => message_type === "summary");
  if (typeof summary?.snapshot_id !== "string" || collected === undefined)
    throw new BackupError("restic made no snapshot");
  const tags = [`${ROWS}${collected.rows}`, ...(collected.partial ? [PARTIAL] : [])];
  await must("the snapshot cannot be marked as finished", ["tag", "--set", tags.join(","), summary.snapshot_id]);
  const id = (await listed()).at(-1)?.id ?? "";
  return {
    id: id.slice(0, 8),
    bytes: Number(summary.total_bytes_processed),
    added: Number(summary.data_added_packed),
  };
}

export const forgetting = (stack: string) => ["forget", "--host", stack, "--group-by", "host", ...KEPT];

/** Removes what is older than is kept, and of snapshots that lack something all but the last one of a day. */
export async function forget(stack: string): Promise<void> {
  const partial = (await listed()).filter(({ tags }) => tags?.includes(PARTIAL));
  const since = Date.now() - DAY_MS;
  const superseded = partial.slice(0, -1).filter(({ time }) => Date.parse(time) > since);
  if (superseded.length > 0)
    await must("superseded snapshots cannot be removed", ["forget", ...superseded.map(({ id }) => id)]);
  await must("old snapshots cannot be removed", [...forgetting(stack), "--prune", "--quiet"]);
}

/** Every snapshot that was finished, oldest first. */
export async function snapshots(repository = local): Promise<Snapshot[]> {
  return (await listed(repository))
    .filter(({ tags }) => !tags?.includes(UNFINISHED))
    .map(({ id, time, tags, paths, summary }) => ({
      id: id.slice(0, 8),
      time,
      bytes: summary?.total_bytes_processed ?? 0,
      rows: Number(tags?.find((tag) => tag.startsWith(ROWS))?.slice(ROWS.length) ?? 0),
      partial: tags?.includes(PARTIAL) === true,
      archive: paths?.includes(ARCHIVE) === true,
    }));
}

/** A snapshot by the beginning of its id; `latest` is the last one that lacks nothing. */
export async function findSnapshot(id: string): Promise<Snapshot> {
  const list = await snapshots();
  const found =
    id === "latest" ? list.findLast(({ partial }) => !partial) : list.find((each) => id.startsWith(each.id));
  if (found !== undefined) return found;
  throw new BackupError(
    id === "latest" ? "there is no backup yet" : `there is no backup ${id}: ./autollm backup --list`,
  );
}

/** A snapshot's archive, as it is decrypted: every piece of it is authenticated. */
export function archiveOf({ id, archive }: Pick<Snapshot, "id" | "archive">): Content {
  const what = archive ? [id, ARCHIVE] : ["--archive", "tar", `${id}:${FORMER_FOLDER}`, "/"];
  return output("restic", [...options(local), "dump", ...what], environment(local));
}

/** Looks at the whole repository: its structure, and whether every pack of data is there. */
export async function checkRepository(): Promise<void> {
  await must("the repository is damaged", ["check", "--quiet"]);
}

/** Bytes of the repository on disk, without those of its index. */
export async function repositoryBytes(): Promise<number> {
  const said = await must("the size is unknown", ["stats", "--mode", "raw-data", "--json"]);
  return (JSON.parse(said) as { total_size: number }).total_size;
}
