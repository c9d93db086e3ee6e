import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

/**
 * A digest of what an update follows from: the program, the policies, the stack's config, the engine, and the state as it stands.
 * A preview shows which resources change; the rest of what an update writes (`protect`, dependencies, outputs) follows from these
 * alone, and an update with the same digest as the last one has nothing of it to write.
 */
async function digestOf(workspace: Workspace): Promise<string> {
  const { stack, cwd, engine } = workspace;
  const hash = createHash("sha256");
  const files = [...SOURCES.flatMap((path) => filesIn(join(root, path))), join(cwd, `Pulumi.${stack}.yaml`)];
  for (const path of files) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  const { mtimeMs, size } = statSync(engine.pulumi);
  // Every update of anybody's writes the time.
  const { manifest } = await deploymentOf(workspace);
  return hash.update([engine.pulumi, mtimeMs, size, process.version, manifest?.time].join("\0")).digest("hex");
}

const digestFile = ({ stack }: Workspace) => join(localHome(), "updated", stack);

/** Whether nothing that an update follows from has changed since the last one that ended well from this clone. */
export async function sameAsUpdated(workspace: Workspace): Promise<boolean> {
  const path = digestFile(workspace);
  return existsSync(path) && readFileSync(path, "utf8") === (await digestOf(workspace));
}

/** Notes what the update that has just ended well followed from. */
export async function noteUpdated(workspace: Workspace): Promise<void> {
  mkdirSync(join(localHome(), "updated"), { recursive: true, mode: 0o700 });
  writeFileSync(digestFile(workspace), await digestOf(workspace), { mode: 0o600 });
}

/** Forgets it: an update that fails leaves nobody knows what. */
export function forgetUpdated(workspace: Workspace): void {
  rmSync(digestFile(workspace), { force: true });
}
