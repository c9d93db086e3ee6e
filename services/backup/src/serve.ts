import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { makeBackup } from "./backup.ts";
import { listenAt } from "./listen.ts";
import { withLock } from "./lock.ts";
import { openRepository } from "./restic.ts";
import { makeRestoreTest } from "./restoreTest.ts";
import { backupDue, restoreTestDue } from "./schedule.ts";
import { PORT, type Settings } from "./settings.ts";
import { metricsPage, readStatus } from "./status.ts";

const TICK_MS = 15_000;

function log(level: "info" | "error", message: string, fields: object = {}): void {
  const entry = { time: new Date().toISOString(), level, service: "backup", message, ...fields };
  process.stdout.write(`${JSON.stringify(entry)}\n`);
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Keeps the schedule, and tells Prometheus how it goes. */
export async function serve(settings: Settings): Promise<void> {
  /** Why the repository does not open; empty when it does. */
  let closed = "it was not opened yet";
  const open = async () => {
    const before = closed;
    closed = await withLock(openRepository).then(() => "", reason);
    if (closed !== before && closed !== "") log("error", "no backup can be made", { reason: closed });
    return closed === "";
  };

  const nightly = async () => {
    try {
      log("info", "backup made", await withLock(() => makeBackup(settings)));
    } catch (error) {
      log("error", "the backup failed", { reason: reason(error) });
      return;
    }
    if (!restoreTestDue(new Date(), readStatus().lastGoodTest)) return;
    try {
      log("info", "restore tested", await withLock(() => makeRestoreTest(settings)));
    } catch (error) {
      log("error", "the restore test failed", { reason: reason(error) });
    }
  };

  const answering = createServer((request, response) => {
    if (request.url === "/metrics")
      response.setHeader("content-type", "text/plain; version=0.0.4").end(metricsPage(readStatus()));
    else if (request.url === "/health")
      response.writeHead(closed === "" ? 200 : 503).end(closed === "" ? "ok\n" : `${closed}\n`);
    else response.writeHead(404).end();
  });
  const server = listenAt(answering, PORT);
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      server.close();
      // A run that is cut short leaves no snapshot; restic drops what it had begun.
      process.exit(0);
    });

  for (;;) {
    if ((closed === "" || (await open())) && backupDue(settings.time, new Date(), readStatus())) await nightly();
    await sleep(TICK_MS);
  }
}
