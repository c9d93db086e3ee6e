import { AGES, type Age, readAges } from "../../components/credentials/ages.ts";
import {
  credentialSpec,
  isCredentialName,
  rotationUnit,
  rotationUnits,
} from "../../components/credentials/catalogue.ts";
import {
  type OverlapStep,
  overlapHours,
  overlapSteps,
  overlapUnits,
  stepAfter,
} from "../../components/credentials/overlap.ts";
import { say } from "./log.ts";
import { type ConfigEntry, configOf } from "./stackSettings.ts";
import { deploymentOf, type StateResource } from "./state.ts";
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

/** Takes the rotations out of a stack's config. Values of credentials are not looked at. */
export function readRotationConfig(entries: Readonly<Record<string, Pick<ConfigEntry, "value">>>): RotationConfig {
  const table = (key: string) => (entries[`${PROJECT}${key}`]?.value ?? {}) as Record<string, unknown>;
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
  return readRotationConfig(await configOf(workspace));
}

/**
 * The config that raises generations: by path, its value.
 * @param leaked whether the old value must not outlast the command. A key whose overlap lasts then skips a generation, so that the
 * one before the new one is a value that nobody ever had, also where the command is killed half-way.
 */
export function raised(units: readonly string[], config: RotationConfig, leaked: boolean): ReadonlyMap<string, string> {
  const by = (unit: string) => (leaked && overlapHours(unit) !== undefined ? 2 : 1);
  const known = units.filter((each) => rotationUnits.includes(each));
  return new Map(known.map((unit) => [`generation.${unit}`, String((config.generation[unit] ?? 1) + by(unit))]));
}

/** Raises generations in the stack's config, all or none, so that a kill leaves no half of it; what was supplied gives way. */
export async function raiseGenerations(
  workspace: Workspace,
  units: readonly string[],
  config: RotationConfig,
  leaked: boolean,
): Promise<void> {
  await setConfig(workspace, Object.fromEntries(raised(units, config, leaked)));
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
export function runningAges(resources: readonly Pick<StateResource, "urn" | "outputs">[]): readonly Age[] {
  const ages = resources.find(({ urn }) => urn.endsWith(`::${AGES}`) && !urn.includes("CredentialAges::"));
  return readAges(String(ages?.outputs?.stdout ?? ""));
}

/**
 * The units whose overlap has lasted as long as it may.
 * @param now seconds since 1970
 */
export function outlasted(config: RotationConfig, running: readonly Age[], now: number): string[] {
  return Object.keys(config.overlap).filter((unit) => {
    const hours = overlapHours(unit);
    const age = running.find((each) => each.unit === unit);
    if (hours === undefined || age === undefined || age.generation !== config.generation[unit]) return false;
    return age.since + hours * 3600 <= now;
  });
}

/** Brings a stack up by as many updates as its rotations take, and ends what an interrupted one had begun. */
export async function rollOut(workspace: Workspace, bringUp: () => Promise<void>): Promise<void> {
  const config = await rotationConfig(workspace);
  if (overlapUnits.some((unit) => (config.generation[unit] ?? 1) > 1)) {
    const running = runningAges((await deploymentOf(workspace)).resources ?? []);
    const begun = beginning(config, new Map(running.map(({ unit, generation }) => [unit, generation])));
    await setConfig(workspace, Object.fromEntries(begun));
    const over = outlasted(config, running, Date.now() / 1000);
    if (over.length > 0) say(`the overlap is over, the old one is withdrawn: ${over.join(", ")}`);
    await endOverlaps(workspace, over);
  }
  await bringUp();
  await finishRotations(workspace, bringUp);
}

/** Takes overlaps out of the stack's config. */
async function endOverlaps(workspace: Workspace, units: readonly string[]): Promise<void> {
  if (units.length === 0) return;
  const { overlap } = await rotationConfig(workspace);
  // The whole table goes with its last entry.
  if (Object.keys(overlap).every((unit) => units.includes(unit))) await removeConfig(workspace, "overlap");
  else for (const unit of units) await removeConfig(workspace, `overlap.${unit}`);
}

/** The rotations that have begun and that further updates end; an overlap that lasts is none of them. */
export function unfinished({ overlap }: RotationConfig): string[] {
  return Object.keys(overlap).filter((unit) => overlapHours(unit) === undefined);
}

/** Takes rotations that have begun to their end: one `pulumi up` a step, until every old value is refused. */
async function finishRotations(workspace: Workspace, bringUp: () => Promise<void>): Promise<void> {
  for (;;) {
    const config = await rotationConfig(workspace);
    const units = unfinished(config);
    if (units.length === 0) return;
    const ended: string[] = [];
    const moved: Record<string, string> = {};
    for (const unit of units) {
      const step = config.overlap[unit];
      const next = step === undefined ? undefined : stepAfter(unit, step);
      if (next === undefined) ended.push(unit);
      else moved[`overlap.${unit}`] = next;
    }
    await setConfig(workspace, moved);
    await endOverlaps(workspace, ended);
    const moving = units.filter((unit) => !ended.includes(unit));
    if (moving.length > 0) say(`now the new one is used, the old one is still accepted: ${moving.join(", ")}`);
    if (ended.length > 0) say(`now the old one is withdrawn: ${ended.join(", ")}`);
    await bringUp();
  }
}

async function removeConfig(workspace: Workspace, path: string): Promise<void> {
  await workspace.pulumi(["config", "rm", "--stack", workspace.stack, "--path", `${PROJECT}${path}`]);
}
