import { AGES, readAges } from "../../components/credentials/ages.ts";
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

/** A resource of the stack's state, as far as generations go. */
interface StateResource {
  readonly urn: string;
  readonly outputs?: { readonly stdout?: string };
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

/** The config that raises generations: by path, its value. */
export function raised(units: readonly string[], config: RotationConfig): ReadonlyMap<string, string> {
  const known = units.filter((each) => rotationUnits.includes(each));
  return new Map(known.map((unit) => [`generation.${unit}`, String((config.generation[unit] ?? 1) + 1)]));
}

/** Raises generations in the stack's config, all or none, so that a kill leaves no half of it; what was supplied gives way. */
export async function raiseGenerations(
  workspace: Workspace,
  units: readonly string[],
  config: RotationConfig,
): Promise<void> {
  await setConfig(workspace, Object.fromEntries(raised(units, config)));
  for (const key of units.flatMap((unit) => config.pinned.get(unit) ?? [])) await removeConfig(workspace, key);
}

/**
 * The overlaps that begin with the next `up`: those of units whose generation is one above the one that runs.
 * A unit whose value the owner supplies has none: its old value has no generation that could stay.
 * @param running the generations that run, by unit
 */
export function beginning(config: RotationConfig, running: ReadonlyMap<string, number>): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const unit of overlapUnits) {
    const [first] = overlapSteps(unit);
    const before = running.get(unit);
    const begins = before !== undefined && config.generation[unit] === before + 1 && config.overlap[unit] === undefined;
    if (first !== undefined && begins && !config.pinned.has(unit)) entries.set(`overlap.${unit}`, first);
  }
  return entries;
}

/** The generations that run, as the state keeps them beside the credentials' ages. */
export function runningGenerations(resources: readonly StateResource[]): ReadonlyMap<string, number> {
  const ages = resources.find(({ urn }) => urn.endsWith(`::${AGES}`) && !urn.includes("CredentialAges::"));
  return new Map(readAges(ages?.outputs?.stdout ?? "").map(({ unit, generation }) => [unit, generation]));
}

/** Brings a stack up by as many updates as its rotations take, and ends what an interrupted one had begun. */
export async function rollOut(workspace: Workspace, bringUp: () => Promise<void>): Promise<void> {
  const config = await rotationConfig(workspace);
  if (overlapUnits.some((unit) => (config.generation[unit] ?? 1) > 1)) {
    const { stdout } = await workspace.pulumi(["stack", "export", "--stack", workspace.stack]);
    const { deployment } = JSON.parse(stdout) as { deployment: { resources?: readonly StateResource[] } };
    const begun = beginning(config, runningGenerations(deployment.resources ?? []));
    await setConfig(workspace, Object.fromEntries(begun));
  }
  await bringUp();
  await finishRotations(workspace, bringUp);
}

/** Takes rotations that have begun to their end: one `pulumi up` a step, until every old value is refused. */
async function finishRotations(workspace: Workspace, bringUp: () => Promise<void>): Promise<void> {
  for (;;) {
    const { overlap } = await rotationConfig(workspace);
    const units = Object.keys(overlap);
    if (units.length === 0) return;
    const ended: string[] = [];
    const moved: Record<string, string> = {};
    for (const [unit, step] of Object.entries(overlap)) {
      const next = stepAfter(unit, step);
      if (next === undefined) ended.push(unit);
      else moved[`overlap.${unit}`] = next;
    }
    await setConfig(workspace, moved);
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
