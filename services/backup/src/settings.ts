import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the workload is told, as a file: components/backup/backup.ts writes it. */
export interface Settings {
  readonly stack: string;
  readonly environment: string;
  /** When the backup of the night is due: `HH:MM`, UTC. */
  readonly time: string;
  /** Hours between two backups, from that time on; they divide a day. */
  readonly everyHours: number;
  readonly database: string;
  /** The directories of the volumes, by the volume's name; each is mounted read-only. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Grafana's database. */
  readonly grafana: string;
  /** The directories of the volumes in which a damaged file may have been set aside, by the volume's name; each is mounted read-only. */
  readonly watched: Readonly<Record<string, string>>;
  /** A second repository, in restic's form (`s3:https://…`); absent where there is none. */
  readonly s3?: string;
  /** Roles of the database, and the schemas of others whose tables each may select from. */
  readonly reads: Readonly<Record<string, readonly string[]>>;
}

export const SECRETS = "/run/secrets";
/** The workload's own volume. */
const HOME = "/backup";
export const REPOSITORY = join(HOME, "repository");
/** The one file of a snapshot: an archive. */
export const ARCHIVE = "/snapshot.tar";
/** The folder that a snapshot of the former form holds. Nothing is collected in it any more. */
export const FORMER_FOLDER = join(HOME, "work", "collected");
/** Where an earlier version left what it had read or collected, in plain text. */
export const FORMER_WORK = join(HOME, "work");
/** Memory: what must be a file for a moment. */
export const SCRATCH_FILE = "/tmp/grafana.db";
/** The restore test's socket, as both of its ends see it. */
export const TEST_SOCKET = "/restore-test/socket";
/** What outlives the container: figures of the last runs, and the last export of the stack's state. */
export const STATUS = join(HOME, "status.json");
export const STATE_EXPORT = join(HOME, "stack.json");
export const PORT = 9180;

export function readSettings(): Settings {
  return JSON.parse(readFileSync("/etc/autollm/backup.json", "utf8")) as Settings;
}

/** A granted secret; undefined where nobody supplied it. */
export function secret(name: string): string | undefined {
  try {
    return readFileSync(join(SECRETS, name), "utf8");
  } catch {
    return undefined;
  }
}

/** @throws when it was not granted */
export function requireSecret(name: string): string {
  const value = secret(name);
  if (value === undefined) throw new Error(`the secret ${name} is missing`);
  return value;
}

/**
 * Marks what a key has encrypted: another key begins a folder of its own, and each is read by its own. A hash of a random key
 * tells nothing of it.
 */
export function keyMark(key: string): string {
  return createHash("sha256").update(`autollm wal ${key}`).digest("hex").slice(0, 8);
}
