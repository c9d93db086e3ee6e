import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** In the container's own memory: a lock does not outlive the processes that can hold it. */
const FILE = "/tmp/backup.lock";
const POLL_MS = 1000;

function take(): boolean {
  try {
    writeFileSync(FILE, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    try {
      process.kill(Number(readFileSync(FILE, "utf8")), 0);
    } catch {
      rmSync(FILE, { force: true });
    }
    return false;
  }
}

/** Lets one process of the container work on the repository at a time; the others wait. */
export async function withLock<T>(work: () => Promise<T>): Promise<T> {
  while (!take()) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    rmSync(FILE, { force: true });
  }
}
