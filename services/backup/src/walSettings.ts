import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Open } from "./walPlan.ts";

/** The workload's own volume. */
export const WAL_HOME = "/archive";
export const WAL_PORT = 9182;

/** What the workload is told, as a file: components/backup/walArchive.ts writes it. */
export interface WalSettings {
  /** Days back to which every second can be restored. */
  readonly days: number;
  /** Hours between two base backups. */
  readonly baseHours: number;
  /** The database of the services, which a test reads. */
  readonly database: string;
  /** The second place, in restic's form; absent where there is none. */
  readonly s3?: string;
}

/** How far the present cluster is stored, for the commands that run beside the program. */
const OPEN = `${WAL_HOME}/open.json`;

/** @throws when the file is missing, as in another workload */
export const readWalSettings = (): WalSettings =>
  JSON.parse(readFileSync("/etc/autollm/wal-archive.json", "utf8")) as WalSettings;

/** How far the present cluster is stored; undefined before that is known. */
export function readOpen(): Open | undefined {
  try {
    return JSON.parse(readFileSync(OPEN, "utf8")) as Open;
  } catch {
    return undefined;
  }
}

/** Notes how far the present cluster is stored. */
export function noteOpen(open: Open): void {
  writeFileSync(`${OPEN}.new`, JSON.stringify(open), { mode: 0o600 });
  renameSync(`${OPEN}.new`, OPEN);
}

/** How the tests went in which Postgres was restored to a moment. Times are milliseconds since 1970. */
export interface WalTest {
  readonly lastGood?: number;
  /** Whether the last one ended well; absent before the first. */
  readonly ok?: boolean;
  readonly failures?: number;
}

const TEST = `${WAL_HOME}/test.json`;

export function readWalTest(): WalTest {
  try {
    return JSON.parse(readFileSync(TEST, "utf8")) as WalTest;
  } catch {
    return {};
  }
}

/** Changes what is known of the tests. */
export function noteWalTest(change: WalTest): void {
  writeFileSync(`${TEST}.new`, JSON.stringify({ ...readWalTest(), ...change }), { mode: 0o600 });
  renameSync(`${TEST}.new`, TEST);
}
