import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { makeBackup } from "./backup.ts";
import { damagedPage } from "./damaged.ts";
import { endAll } from "./exec.ts";
import { listenAt } from "./listen.ts";
import { withLock } from "./lock.ts";
import { logger, reason } from "./log.ts";
import { openRepository } from "./restic.ts";
import { makeRestoreTest } from "./restoreTest.ts";
import { backupDue, copyDue, restoreTestDue } from "./schedule.ts";
import { copyAndNote } from "./second.ts";
import { FORMER_WORK, keyMark, PORT, requireSecret, type Settings } from "./settings.ts";
import { metricsPage, readStatus, type Status } from "./status.ts";

const TICK_MS = 15_000;

const log = logger("backup");

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

  const scheduled = async () => {
    try {
      const result = await withLock(() => makeBackup(settings));
      log(result.copyFailed === undefined ? "info" : "error", "backup made", result);
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

  const copy = async (url: string) => {
    const why = await withLock(() => copyAndNote(url, settings.stack));
    if (why === undefined) log("info", "the backups were copied to the second repository");
    else log("error", "the copy to the second repository failed", { reason: why });
  };

  /** What the status does not say by itself. */
  const figures = (): Status => {
    const status = readStatus();
    // A local stack's data is nobody's loss: it needs no kit, and one that it has is looked at.
    const wanted = settings.environment !== "local" || status.kitKey !== undefined;
    const kit = wanted ? { kitCurrent: status.kitKey === keyMark(requireSecret("backup-key")) } : {};
    return { ...status, ...kit, everyHours: settings.everyHours };
  };

  // An earlier version collected in plain text, and left it there when it was killed.
  rmSync(FORMER_WORK, { recursive: true, force: true });
  const answering = createServer((request, response) => {
    if (request.url === "/metrics")
      response
        .setHeader("content-type", "text/plain; version=0.0.4")
        .end(`${metricsPage(figures())}${damagedPage(settings.watched)}`);
    else if (request.url === "/health")
      response.writeHead(closed === "" ? 200 : 503).end(closed === "" ? "ok\n" : `${closed}\n`);
    else response.writeHead(404).end();
  });
  void listenAt(answering, PORT);
  let ending = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      ending = true;
      answering.close();
      // A run that is cut short leaves no snapshot; restic removes its lock, here and in the second repository.
      void endAll().finally(() => process.exit(0));
    });

  let lastCopy = Date.now();
  while (!ending) {
    if (closed === "" || (await open())) {
      if (backupDue(settings, new Date(), readStatus())) {
        await scheduled();
        lastCopy = Date.now();
      } else if (settings.s3 !== undefined && copyDue(new Date(), lastCopy, readStatus())) {
        lastCopy = Date.now();
        await copy(settings.s3);
      }
    }
    await sleep(TICK_MS);
  }
}
