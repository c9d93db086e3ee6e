import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDir } from "./cache.ts";
import { say } from "./log.ts";
import { isAlive } from "./machine.ts";

/** Lets one program at a time do the work; a lock whose holder has died is taken over. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const file = join(cacheDir("locks"), name);
  let told = false;
  while (!take(file)) {
    if (!told) say(`... waiting for another run that holds ${file}`);
    told = true;
    await sleep(1000);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    const holder = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (holder !== "" && !isAlive(Number(holder))) rmSync(file, { force: true });
    return false;
  }
}
