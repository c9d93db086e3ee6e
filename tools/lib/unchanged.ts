import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keyFile } from "../../components/host/keyFile.ts";
import { say } from "./log.ts";
import { StackFile } from "./stackFile.ts";
import { readableSettings } from "./stackSettings.ts";
import { deploymentOf } from "./state.ts";
import { localHome, root, type Workspace } from "./workspace.ts";

/** An event as `--event-log` writes it, one per line (apitype.EngineEvent). */
interface EngineEvent {
  readonly summaryEvent?: { readonly resourceChanges?: Readonly<Record<string, number>> };
}

/** Whether a preview that came to its end wants to change no resource. */
export function changesNothing(eventLog: string): boolean {
  const events = eventLog
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as EngineEvent);
  const summary = events.findLast(({ summaryEvent }) => summaryEvent !== undefined)?.summaryEvent;
  const { same = 0, ...changes } = summary?.resourceChanges ?? {};
  return same > 0 && Object.values(changes).every((count) => count === 0);
}

/** All that the program and its policies are made of, besides the stack's config. */
const SOURCES = [
  "Pulumi.yaml",
  "index.ts",
  "start.js",
  "package.json",
  "components",
  "policies",
  "services",
  "node_modules/.package-lock.json",
] as const;

function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .flatMap(({ name }) => filesIn(join(path, name)))
    .sort();
}

/** The halves of the host's key pair that are on this machine. The program reads them; no digest is made of the private one. */
async function keyOfHost(workspace: Workspace): Promise<string[]> {
  const path = (await readableSettings(workspace))?.host?.privateKeyPath;
  if (path === undefined) return [];
  const file = keyFile(path);
  return [String(existsSync(file)), existsSync(`${file}.pub`) ? readFileSync(`${file}.pub`, "utf8") : ""];
}

/**
 * A digest of what an update follows from: the program, the policies, the stack's config, the host's key, the engine, and the state
 * as it stands. With the digest of the last update that ended well, a preview shows no change and an update has nothing to write.
 */
async function digestOf(workspace: Workspace): Promise<string> {
  const { stack, cwd, engine } = workspace;
  const hash = createHash("sha256");
  const files = [...SOURCES.flatMap((path) => filesIn(join(root, path))), join(cwd, `Pulumi.${stack}.yaml`)];
  for (const path of files) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  const { mtimeMs, size } = statSync(engine.pulumi);
  const state = JSON.stringify(await deploymentOf(workspace));
  const rest = [engine.pulumi, mtimeMs, size, process.version, state, ...(await keyOfHost(workspace))];
  return hash.update(rest.join("\0")).digest("hex");
}

/**
 * How long that digest stands for a preview. What depends on time besides, a certificate to be renewed and a credential whose rotation
 * is due, is a matter of days.
 */
const LOOK_AGAIN_AFTER_MS = 24 * 60 * 60 * 1000;

const digestFile = ({ stack }: Workspace) => join(localHome(), "updated", stack);

/** Whether nothing that an update follows from has changed since the last one that ended well from this clone. */
export async function sameAsUpdated(workspace: Workspace): Promise<boolean> {
  const path = digestFile(workspace);
  return existsSync(path) && readFileSync(path, "utf8") === (await digestOf(workspace));
}

/**
 * When the engine has seen this very program, config and state, and found nothing to change: asked again, it would say the same.
 * Undefined if it has not, or not for a day, or where the config takes values from Pulumi ESC: they are in no file.
 */
export async function seenUnchanged(workspace: Workspace): Promise<Date | undefined> {
  const config = join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`);
  if (!existsSync(config) || new StackFile(config).importsEnvironments()) return undefined;
  if (!(await sameAsUpdated(workspace))) return undefined;
  const { mtime } = statSync(digestFile(workspace));
  const age = Date.now() - mtime.getTime();
  return age >= 0 && age < LOOK_AGAIN_AFTER_MS ? mtime : undefined;
}

/** Says that nothing changes, without a look by the engine. */
export function tellUnchanged(seen: Date): void {
  say(
    `nothing changes: the program, the policies, the config and the state are those of ${seen.toISOString().slice(0, 16)}Z, when the engine found nothing left to do (it is asked again after a day)`,
  );
}

/** Notes that the engine has just found, or left, nothing to do. */
export async function noteUpdated(workspace: Workspace): Promise<void> {
  mkdirSync(join(localHome(), "updated"), { recursive: true, mode: 0o700 });
  writeFileSync(digestFile(workspace), await digestOf(workspace), { mode: 0o600 });
}

/** Forgets it: an update that fails leaves nobody knows what. */
export function forgetUpdated(workspace: Workspace): void {
  rmSync(digestFile(workspace), { force: true });
}
