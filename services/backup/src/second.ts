import { hostname } from "node:os";
import { reason } from "./log.ts";
import {
  BackupError,
  forgetting,
  KEY,
  local,
  must,
  opens,
  type Repository,
  restic,
  type Snapshot,
  snapshots,
} from "./restic.ts";
import { bucketOf, removable } from "./s3.ts";
import { REPOSITORY, requireSecret } from "./settings.ts";
import { note, readStatus } from "./status.ts";

/** A lock as restic keeps it. Its holder renews it each 5 minutes. */
export interface Lock {
  readonly time: string;
  readonly exclusive: boolean;
  readonly hostname: string;
}

/** restic's own: a lock that was not renewed for so long is nobody's. */
const STALE_MS = 30 * 60 * 1000;
/** How long somebody else's work there is waited for. */
const WAIT = ["--retry-lock", "10m"];
/** Of a clock that is not quite right. */
const FUTURE_MS = 60 * 60 * 1000;

/**
 * Which locks are to be removed. This host's own are a killed run's, since one process at a time works here, and its name is its
 * own; another's count as long as they are renewed.
 */
export function releasing(locks: readonly Lock[], host: string, now: Date): "none" | "stale" | "all" {
  const dead = ({ time, hostname: holder }: Lock) => holder === host || now.getTime() - Date.parse(time) > STALE_MS;
  if (!locks.some(dead)) return "none";
  return locks.every(dead) ? "all" : "stale";
}

async function locksOf(repository: Repository): Promise<Lock[]> {
  const ids = await restic(repository, ["list", "locks", "--no-lock"]);
  const locks: Lock[] = [];
  for (const id of ids.stdout.split("\n").filter((line) => /^[0-9a-f]{64}$/.test(line))) {
    const { code, stdout } = await restic(repository, ["cat", "lock", id, "--no-lock"]);
    // One that is gone meanwhile was somebody's who has ended.
    if (code === 0) locks.push(JSON.parse(stdout) as Lock);
  }
  return locks;
}

async function release(repository: Repository): Promise<void> {
  const which = releasing(await locksOf(repository), hostname(), new Date());
  if (which !== "none") await restic(repository, ["unlock", ...(which === "all" ? ["--remove-all"] : [])]);
}

/** The second repository, with the credentials that its owner supplied. */
function second(url: string): Repository {
  const env = {
    AWS_ACCESS_KEY_ID: requireSecret("s3-access-key"),
    AWS_SECRET_ACCESS_KEY: requireSecret("s3-secret-key"),
  };
  const there: Repository = {
    ...{ name: "the second repository", url, env, deletes: false },
    release: () => release(there),
  };
  return there;
}

/** Copies to the second repository what it lacks. It removes nothing there: see `prune`. */
async function copyTo(url: string): Promise<Repository> {
  const there = second(url);
  const from = ["--from-repo", REPOSITORY, "--from-password-file", KEY];
  if (await opens(there)) await there.release?.();
  else await must("the second repository cannot be made", ["init", ...from, "--copy-chunker-params"], there);
  await must("the copy to the second repository failed", ["copy", ...from, "--quiet", ...WAIT], there);
  return there;
}

/** How many snapshots of the second repository are older than is kept. */
async function dueThere(there: Repository, stack: string): Promise<number> {
  const said = await must(
    "the second repository cannot be listed",
    [...forgetting(stack), "--dry-run", "--json", "--no-lock"],
    there,
  );
  const groups = JSON.parse(said) as { remove: readonly unknown[] | null }[];
  return groups.reduce((sum, { remove }) => sum + (remove?.length ?? 0), 0);
}

/** Copies, looks at how the second repository is, and notes it. @returns why it failed, where it did */
export async function copyAndNote(url: string, stack: string): Promise<string | undefined> {
  try {
    const there = await copyTo(url);
    note({ secondSuccess: Date.now(), secondOk: true, secondDue: await dueThere(there, stack) });
    const bucket = {
      ...bucketOf(url),
      accessKey: requireSecret("s3-access-key"),
      secretKey: requireSecret("s3-secret-key"),
    };
    const ways = await removable(bucket);
    note({ secondAppendOnly: ways.length === 0 });
    if (ways.length > 0) process.stderr.write(`the second repository is not append-only: ${ways.join("; ")}\n`);
    return undefined;
  } catch (error) {
    note({ secondOk: false, secondFailures: (readStatus().secondFailures ?? 0) + 1 });
    return reason(error);
  }
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

/** What the identity that prunes brings along; none of it is the container's. */
export interface PruneRequest {
  readonly url: string;
  readonly stack: string;
  /** The file that holds the key. */
  readonly key: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Only tell what would be removed. */
  readonly dryRun: boolean;
}

export interface Pruned {
  readonly kept: readonly Snapshot[];
  readonly removed: readonly string[];
}

/**
 * Removes from the second repository what is older than is kept.
 * @throws BackupError where a snapshot is of the future: an attacker who writes there could make all others look old
 */
export async function prune({ url, stack, key, accessKey, secretKey, dryRun }: PruneRequest): Promise<Pruned> {
  const env = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
  const there: Repository = {
    ...{ name: "the second repository", url, env, key, deletes: true },
    release: () => release(there),
  };
  if (!(await opens(there))) throw new BackupError("there is no second repository at its place");
  await there.release?.();
  const before = await snapshots(there);
  const future = before.filter(({ time }) => Date.parse(time) > Date.now() + FUTURE_MS);
  if (future.length > 0)
    throw new BackupError(
      `snapshots of the second repository are of the future, so that all others look old: ${future.map(({ id }) => id).join(", ")}; find out who wrote them, and forget them first (docs/backup.md, The second repository)`,
    );
  const said = await must(
    "old snapshots of the second repository cannot be removed",
    [...forgetting(stack), ...(dryRun ? ["--dry-run"] : ["--prune", "--retry-lock", "40m"]), "--json", "--quiet"],
    there,
  );
  const [line = "[]"] = said.split("\n").filter((text) => text.startsWith("["));
  const groups = JSON.parse(line) as { remove: readonly { id: string }[] | null }[];
  const removed = groups.flatMap(({ remove }) => (remove ?? []).map(({ id }) => id.slice(0, 8)));
  return { kept: before.filter(({ id }) => !removed.includes(id)), removed };
}
