import { setTimeout as pause } from "node:timers/promises";
import { failureOf, run } from "./run.ts";

/** Seconds in which another package manager must end: on a new machine, unattended upgrades hold apt's locks for minutes. */
const LOCK_SECONDS = 600;

/** Runs apt-get without a question, and waits while another holds its locks. */
export async function apt(args: readonly string[], pauseMs = 3000): Promise<void> {
  const end = Date.now() + LOCK_SECONDS * 1000;
  for (;;) {
    const line = ["-o", `DPkg::Lock::Timeout=${LOCK_SECONDS}`, ...args];
    const result = await run("apt-get", line, { env: { DEBIAN_FRONTEND: "noninteractive" }, allowFailure: true });
    if (result.code === 0) return;
    // `update` takes the lock of its lists without waiting for it.
    if (!/Could not get lock/.test(result.stderr) || Date.now() > end) throw failureOf("apt-get", args, result);
    await pause(pauseMs);
  }
}
