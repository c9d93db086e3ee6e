import {
  credentialSpec,
  isCredentialName,
  rotationUnit,
  rotationUnits,
} from "../../components/credentials/catalogue.ts";
import { type OverlapStep, overlapSteps, overlapUnits, stepAfter } from "../../components/credentials/overlap.ts";
import { say } from "./log.ts";
import { setConfig, type Workspace } from "./workspace.ts";

const PROJECT = "autollm:";

/** What of a stack's config steers its rotations. */
export interface RotationConfig {
  readonly generation: Readonly<Record<string, number>>;
  /** Rotations that have begun and in which the old value is still taken. */
  readonly overlap: Readonly<Record<string, OverlapStep>>;
  /** Config keys of supplied values that stand in for generated ones, by rotation unit. */
  readonly pinned: ReadonlyMap<string, readonly string[]>;
}

type ConfigEntries = Readonly<Record<string, { readonly objectValue?: unknown }>>;

/** Takes the rotations out of what `pulumi config --json` prints. Values of credentials are not looked at. */
export function readRotationConfig(entries: ConfigEntries): RotationConfig {
  const table = (key: string) => (entries[`${PROJECT}${key}`]?.objectValue ?? {}) as Record<string, unknown>;
  const pinned = new Map<string, string[]>();
  for (const key of Object.keys(entries)) {
    const name = key.startsWith(PROJECT) ? key.slice(PROJECT.length) : "";
    if (!isCredentialName(name) || credentialSpec(name).kind === "supplied") continue;
    const unit = rotationUnit(name);
    pinned.set(unit, [...(pinned.get(unit) ?? []), name]);
  }
  const generation = Object.fromEntries(
    Object.entries(table("generation")).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
  const overlap = Object.fromEntries(
    Object.entries(table("overlap")).filter(
      (entry): entry is [string, OverlapStep] =>
        overlapUnits.includes(entry[0]) && overlapSteps(entry[0]).some((step) => step === entry[1]),
    ),
  );
  return { generation, overlap, pinned };
}

export async function rotationConfig(workspace: Workspace): Promise<RotationConfig> {
  const { stdout } = await workspace.pulumi(["config", "--json", "--stack", workspace.stack]);
  return readRotationConfig(JSON.parse(stdout) as ConfigEntries);
}

/**
 * The config that begins a rotation: by path, its value.
 * A unit whose value the owner supplied changes at once: its old value has no generation that could stay.
 */
export function beginning(units: readonly string[], config: RotationConfig): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const unit of units.filter((each) => rotationUnits.includes(each))) {
    entries.set(`generation.${unit}`, String((config.generation[unit] ?? 1) + 1));
    const [first] = overlapSteps(unit);
    if (first !== undefined && !config.pinned.has(unit)) entries.set(`overlap.${unit}`, first);
  }
  return entries;
}

/** Writes the beginning of a rotation into the stack's config, whole or not at all, so that a kill leaves no half of it. */
export async function beginRotation(
  workspace: Workspace,
  units: readonly string[],
  config: RotationConfig,
): Promise<void> {
  const values = [...beginning(units, config)].flatMap(([path, value]) => [
    "--plaintext",
    `${PROJECT}${path}=${value}`,
  ]);
  await workspace.pulumi(["config", "set-all", "--stack", workspace.stack, "--path", ...values]);
  for (const key of units.flatMap((unit) => config.pinned.get(unit) ?? [])) await removeConfig(workspace, key);
}

/**
 * Takes rotations that have begun to their end: one `pulumi up` a step, until every old value is refused.
 * Called after a good `up`, it also ends what a kill interrupted.
 */
export async function finishRotations(workspace: Workspace, bringUp: () => Promise<void>): Promise<void> {
  for (;;) {
    const { overlap } = await rotationConfig(workspace);
    const units = Object.keys(overlap);
    if (units.length === 0) return;
    const ended: string[] = [];
    for (const [unit, step] of Object.entries(overlap)) {
      const next = stepAfter(unit, step);
      if (next === undefined) ended.push(unit);
      else await setConfig(workspace, `overlap.${unit}`, next);
    }
    // The whole table goes with its last entry.
    if (ended.length === units.length) await removeConfig(workspace, "overlap");
    else for (const unit of ended) await removeConfig(workspace, `overlap.${unit}`);
    const moving = units.filter((unit) => !ended.includes(unit));
    if (moving.length > 0) say(`now the new one is used, the old one still taken: ${moving.join(", ")}`);
    if (ended.length > 0) say(`now the old one is withdrawn: ${ended.join(", ")}`);
    await bringUp();
  }
}

async function removeConfig(workspace: Workspace, path: string): Promise<void> {
  await workspace.pulumi(["config", "rm", "--stack", workspace.stack, "--path", `${PROJECT}${path}`]);
}
