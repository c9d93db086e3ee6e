import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, execute, lastWords } from "./exec.ts";
import { COLLECTED, REPOSITORY, requireSecret, SECRETS, secret } from "./settings.ts";

/** A fault that a person can mend: told as one line. */
export class BackupError extends Error {}

export interface Snapshot {
  readonly id: string;
  readonly time: string;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Rows of its tables: tells a backup that was made after a loss from one that was made before. */
  readonly rows: number;
}

const KEY = join(SECRETS, "backup-key");
const PREVIOUS_KEY = join(SECRETS, "backup-key-previous");
/** restic's exit codes. */
const NO_REPOSITORY = 10;
const LOCKED = 11;
const WRONG_KEY = 12;

/** platform.md: kept 7 daily, 4 weekly, 12 monthly, and everything of the last 30 days. */
const KEPT = ["--keep-within", "30d", "--keep-daily", "7", "--keep-weekly", "4", "--keep-monthly", "12"];

/** A repository, and what opens its place besides the key. */
interface Repository {
  readonly name: string;
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
}

const local: Repository = { name: "the repository", url: REPOSITORY };

/** Runs restic. Paths of secrets alone are on its command line. */
function restic(repository: Repository, args: readonly string[], passwordFile = KEY): Promise<Ended> {
  const options = ["--repo", repository.url, "--password-file", passwordFile, "--no-cache"];
  return execute("restic", [...options, ...args], { env: { HOME: "/tmp", TMPDIR: "/tmp", ...repository.env } });
}

async function must(what: string, args: readonly string[], repository = local): Promise<string> {
  const ended = await restic(repository, args);
  if (ended.code === WRONG_KEY) throw wrongKey(repository);
  if (ended.code !== 0) throw new BackupError(`${what}: ${lastWords(ended)}`);
  return ended.stdout;
}

const wrongKey = ({ name }: Repository) =>
  new BackupError(`${name} does not open with this stack's backup-key: supply the right one (docs/backup.md, The key)`);

/** Lets the present key in and the former one out. */
async function changeKey(repository: Repository): Promise<void> {
  const keys = await restic(repository, ["key", "list", "--json"], PREVIOUS_KEY);
  if (keys.code !== 0) throw wrongKey(repository);
  const former = (JSON.parse(keys.stdout) as { id: string; current: boolean }[]).find(({ current }) => current);
  const added = await restic(repository, ["key", "add", "--new-password-file", KEY], PREVIOUS_KEY);
  if (added.code !== 0 || former === undefined) throw new BackupError(`the key was not changed: ${lastWords(added)}`);
  await must("the former key is still valid", ["key", "remove", former.id], repository);
}

/** Opens a repository, by the former key if need be, and answers whether there is one. */
async function opens(repository: Repository): Promise<boolean> {
  const open = () => restic(repository, ["cat", "config"]);
  let opened = await open();
  // Nobody else uses the local one, and here one process at a time: a lock is what a killed one left.
  if (opened.code === LOCKED && repository === local) {
    await restic(local, ["unlock", "--remove-all"]);
    opened = await open();
  }
  if (opened.code === WRONG_KEY) {
    if (secret("backup-key-previous") === undefined) throw wrongKey(repository);
    await changeKey(repository);
  } else if (opened.code !== 0 && opened.code !== NO_REPOSITORY) {
    throw new BackupError(`${repository.name} cannot be opened: ${lastWords(opened)}`);
  }
  return opened.code !== NO_REPOSITORY;
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

/** Saves what was collected. */
export async function save(stack: string, rows: number): Promise<{ id: string; bytes: number; added: number }> {
  await restic(local, ["unlock"]);
  const said = await must("the snapshot cannot be made", [
    ...["backup", "--json", "--host", stack, "--group-by", "host,paths", "--tag", `rows=${rows}`],
    COLLECTED,
  ]);
  const summary = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find(({ message_type }) => message_type === "summary");
  if (typeof summary?.snapshot_id !== "string") throw new BackupError("restic made no snapshot");
  return {
    id: summary.snapshot_id.slice(0, 8),
    bytes: Number(summary.total_bytes_processed),
    added: Number(summary.data_added_packed),
  };
}

const forgetting = (stack: string) => [
  ...["forget", "--host", stack, "--group-by", "host", ...KEPT, "--prune", "--quiet"],
];

/** Removes what is older than is kept. */
export async function forget(stack: string): Promise<void> {
  await must("old snapshots cannot be removed", forgetting(stack));
}

/** Every snapshot, oldest first. */
export async function snapshots(): Promise<Snapshot[]> {
  const said = await must("the snapshots cannot be listed", ["snapshots", "--json"]);
  const list = JSON.parse(said) as {
    id: string;
    time: string;
    tags?: readonly string[];
    summary?: { total_bytes_processed: number };
  }[];
  return list.map(({ id, time, tags, summary }) => ({
    id: id.slice(0, 8),
    time,
    bytes: summary?.total_bytes_processed ?? 0,
    rows: Number(tags?.find((tag) => tag.startsWith("rows="))?.slice("rows=".length) ?? 0),
  }));
}

/** Reads a snapshot back into a directory: every piece of it is decrypted and authenticated. */
export async function readBack(id: string, directory: string): Promise<void> {
  await must(`snapshot ${id} cannot be read whole, so it is not restored`, [
    ...["restore", `${id}:${COLLECTED}`, "--target", directory, "--quiet"],
  ]);
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

/** The second repository, with the credentials that its owner supplied. */
function second(url: string): Repository {
  const env = {
    AWS_ACCESS_KEY_ID: requireSecret("s3-access-key"),
    AWS_SECRET_ACCESS_KEY: requireSecret("s3-secret-key"),
  };
  return { name: "the second repository", url, env };
}

/** Copies to the second repository what it lacks, and removes there what is older than is kept. */
export async function copyTo(url: string, stack: string): Promise<void> {
  const there = second(url);
  const from = ["--from-repo", REPOSITORY, "--from-password-file", KEY];
  if (!(await opens(there)))
    await must("the second repository cannot be made", ["init", ...from, "--copy-chunker-params"], there);
  await must("the copy to the second repository failed", ["copy", ...from, "--quiet"], there);
  await must("old snapshots of the second repository cannot be removed", forgetting(stack), there);
}

/** Copies from the second repository what this one lacks: the way onto a new host. */
export async function copyFrom(url: string): Promise<void> {
  const there = second(url);
  if (!(await opens(there))) throw new BackupError("there is no second repository at its place");
  const from = ["--from-repo", url, "--from-password-file", KEY];
  await must("the copy from the second repository failed", ["copy", ...from, "--quiet"], {
    ...local,
    env: there.env ?? {},
  });
}
