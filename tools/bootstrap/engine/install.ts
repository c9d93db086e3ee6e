import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { cacheDir } from "../../lib/cache.ts";
import { run } from "../../lib/run.ts";
import { buildPart, partPath, sdkVersion } from "./build.ts";
import { requireGo } from "./go.ts";
import { engineParts } from "./parts.ts";

/** What has not been used for so long is removed at the next build. */
const KEEP_MS = 30 * 24 * 3600 * 1000;

/** Counts what `buildEngine` puts into the folder besides the parts. */
const LAYOUT = "a file in place of the logs";

/** The folder of the engine that this clone's sources make: CLI and language host side by side, and the providers as plugins. */
export function engineFolder(): string {
  const made = [...engineParts.map(partPath), LAYOUT];
  const key = createHash("sha256").update(made.join("\n")).digest("hex").slice(0, 16);
  return join(cacheDir("engine"), key);
}

/** Whether an engine is whole. One that is counts as used. */
export function isReady(folder: string): boolean {
  if (!existsSync(join(folder, "complete"))) return false;
  const now = new Date();
  utimesSync(join(folder, "complete"), now, now);
  return true;
}

/** Builds what is missing, and puts the engine together. Only one program at a time may do so. */
export async function buildEngine(): Promise<void> {
  const folder = engineFolder();
  if (isReady(folder)) return;
  if (!engineParts.every((part) => existsSync(partPath(part)))) await requireGo();
  // What an interrupted build left behind; nobody else is at work here.
  for (const name of readdirSync(cacheDir("engine", "parts")))
    if (name.endsWith(".work")) rmSync(join(cacheDir("engine", "parts"), name), { recursive: true, force: true });
  for (const part of engineParts) await buildPart(part);
  const workspace = `${folder}.work`;
  rmSync(workspace, { recursive: true, force: true });
  mkdirSync(join(workspace, "bin"), { recursive: true });
  const programs = engineParts.filter(({ plugin }) => plugin === undefined);
  for (const part of programs) cpSync(partPath(part), join(workspace, "bin", part.name));
  for (const part of engineParts) {
    if (part.plugin === undefined) continue;
    const { name } = part.plugin;
    await run(
      join(workspace, "bin", "pulumi"),
      ["plugin", "install", "resource", name, sdkVersion(name), "--file", partPath(part)],
      { env: engineEnv(workspace) },
    );
  }
  keepNoLog(join(workspace, "home"));
  writeFileSync(join(workspace, "complete"), "");
  rmSync(folder, { recursive: true, force: true });
  renameSync(workspace, folder);
  removeUnused(new Set([folder, ...engineParts.map(partPath)]));
}

/**
 * The CLI writes all that it does into its home's folder `logs`, at 40 % of its processor time in a preview, and no setting turns
 * that off. A file of that name does: the CLI goes on without.
 */
function keepNoLog(home: string): void {
  mkdirSync(home, { recursive: true });
  rmSync(join(home, "logs"), { recursive: true, force: true });
  writeFileSync(join(home, "logs"), "In place of a folder, so that the CLI keeps no log: docs/engine.md\n");
}

function removeUnused(used: ReadonlySet<string>): void {
  const engines = readdirSync(cacheDir("engine"))
    .filter((name) => name !== "parts")
    .map((name) => join(cacheDir("engine"), name));
  const parts = readdirSync(cacheDir("engine", "parts")).map((name) => join(cacheDir("engine", "parts"), name));
  for (const path of [...engines, ...parts]) {
    const marker = existsSync(join(path, "complete")) ? join(path, "complete") : path;
    if (!used.has(path) && Date.now() - statSync(marker).mtimeMs > KEEP_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

/** The environment that keeps the built engine to itself: its own plugins, and no look for updates, which are unavailable. */
export function engineEnv(folder: string): Record<string, string> {
  return {
    PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH ?? ""}`,
    PULUMI_HOME: join(folder, "home"),
    // Logins stay where the official CLI keeps them, so that another engine does not forget them.
    PULUMI_CREDENTIALS_PATH:
      process.env.PULUMI_CREDENTIALS_PATH ?? process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
  };
}
