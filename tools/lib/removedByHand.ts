import { commandLine } from "../../components/configCommand.ts";
import { Daemon } from "./daemon.ts";
import { type DockerObject, KINDS, without } from "./interrupted.ts";
import { canAskHost } from "./keyAgent.ts";
import { say, UserError } from "./log.ts";
import { PlatformSwitch } from "./platformSwitch.ts";
import { readableSettings, settingsOf } from "./stackSettings.ts";
import { type Deployment, deploymentOf, exported, replaceState } from "./state.ts";
import { outputs, type Workspace } from "./workspace.ts";

/** What the state names, and Docker no longer has. */
export interface Removed {
  readonly kind: DockerObject["kind"];
  /** Its name in the program, such as `redis-data`. */
  readonly name: string;
  /** Docker's id, which of a volume is its name. */
  readonly id: string;
}

const LISTS: Readonly<Record<DockerObject["kind"], readonly string[]>> = {
  container: ["container", "ls", "--all", "--quiet", "--no-trunc"],
  network: ["network", "ls", "--quiet", "--no-trunc"],
  volume: ["volume", "ls", "--quiet"],
};

const nameOf = (urn: string) => urn.split("::").at(-1) ?? urn;

/** What a state names, without what Docker has. */
export function missing({ resources = [] }: Deployment, there: ReadonlySet<string>): readonly Removed[] {
  return resources.flatMap(({ urn, type, id }) => {
    const kind = KINDS[type];
    return kind === undefined || id === undefined || there.has(id) ? [] : [{ kind, name: nameOf(urn), id }];
  });
}

/**
 * What somebody has removed from Docker behind the engine's back. Nothing, where Docker does not answer, this machine has no key of
 * its host, or the config has faults: what follows says so itself.
 * @param state what the engine keeps of the stack, if it has been read already
 */
export async function removedByHand(workspace: Workspace, state?: Deployment): Promise<readonly Removed[]> {
  const kept = state ?? (await deploymentOf(workspace));
  if (missing(kept, new Set()).length === 0) return [];
  // What is wrong with the config, the program says, with all of its faults.
  const settings = await readableSettings(workspace);
  if (settings === undefined || !canAskHost(settings)) return [];
  const daemon = Daemon.at(workspace.stack, settings);
  const lists = await Promise.all(Object.values(LISTS).map((list) => daemon.run(list, { allowFailure: true })));
  if (lists.some(({ code }) => code !== 0)) return [];
  return missing(kept, new Set(lists.flatMap(({ stdout }) => stdout.split("\n"))));
}

/** Drops from the state what is gone: the docker provider fails on what is not there, at each attempt. */
export async function forget(workspace: Workspace, removed: readonly Removed[]): Promise<void> {
  if (removed.length === 0) return;
  const state = await exported(workspace);
  const left = { ...state, deployment: without(state.deployment, new Set(removed.map(({ id }) => id))) };
  await replaceState(workspace, left);
}

/** Names of one kind, for a sentence. */
export const listed = (removed: readonly Removed[]): string =>
  [...new Set(removed.map(({ kind, name }) => `${kind} ${name}`))].join(", ");

/** What to do about volumes that are gone with what was in them. */
function volumesGone(stack: string, volumes: readonly string[]): string {
  const options = volumes.map((name) => `--new-volume ${name}`).join(" ");
  return `gone from Docker, with what was in ${volumes.length === 1 ? "it" : "them"}: volume ${volumes.join(", ")}. Nothing was changed.
Is this the right Docker daemon? If somebody removed it, stop trading (${commandLine(stack, "kill-switch on")}), make it again, empty:
  ${commandLine(stack, `up ${options}`)}
and bring its data back from a backup: docs/disaster.md, A deleted volume`;
}

/**
 * Lets the next update make again what somebody has removed by hand. A volume is made again only if it is named: it is empty then.
 * @param state what the engine keeps of the stack
 * @param newVolumes the volumes that may be made again
 * @throws UserError when a volume is gone that is not named, or one is named that is not gone, or real money would be traded on
 * stores that are empty
 */
export async function bringBack(
  workspace: Workspace,
  state: Deployment,
  newVolumes: readonly string[] = [],
): Promise<void> {
  const { stack } = workspace;
  const removed = await removedByHand(workspace, state);
  const volumes = [...new Set(removed.filter(({ kind }) => kind === "volume").map(({ name }) => name))];
  const there = newVolumes.filter((name) => !volumes.includes(name));
  if (there.length > 0)
    throw new UserError(
      `--new-volume ${there.join(", ")}: no volume of that name is gone${volumes.length === 0 ? "" : `; gone are ${volumes.join(", ")}`}. Nothing was changed`,
    );
  const left = volumes.filter((name) => !newVolumes.includes(name));
  if (left.length > 0) throw new UserError(volumesGone(stack, left));
  if (volumes.length > 0)
    await checkTradingStopped(workspace, "stores without data know no positions and no limits that are used up");
  if (removed.length > 0) say(`removed by hand, and made again now: ${listed(removed)}`);
  await forget(workspace, removed);
}

/**
 * @param reason what would be wrong with real money, as the end of a sentence
 * @throws UserError when trading is live and the kill switch is off
 */
export async function checkTradingStopped(workspace: Workspace, reason: string): Promise<void> {
  const wantsLive = (await settingsOf(workspace)).trading.live;
  if (!wantsLive && (await outputs(workspace)).trading !== "live") return;
  const { on } = await (await PlatformSwitch.of(workspace.stack)).run("status");
  if (!on)
    throw new UserError(
      `trading is live, and ${reason}. First: ${commandLine(workspace.stack, "kill-switch on")}. Nothing was changed`,
    );
}
