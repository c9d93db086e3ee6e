import { Daemon } from "./daemon.ts";
import { releaseEngineLock } from "./engineLock.ts";
import { say } from "./log.ts";
import { type Deployment, deploymentOf, exported, replaceState, type StateResource } from "./state.ts";
import type { Workspace } from "./workspace.ts";

/** A thing of Docker's that an interrupted update may have made, or may have removed. */
export interface DockerObject {
  readonly kind: "container" | "network" | "volume";
  /** Its name, or its id. */
  readonly reference: string;
}

/** The engine's types of what lies in Docker. */
export const KINDS: Readonly<Record<string, DockerObject["kind"]>> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  "docker:index/volume:Volume": "volume",
};

/** What an interrupted update may have made without anybody knowing it: nobody would ever remove it. */
export function halfMade({ pending_operations: pending = [] }: Deployment): DockerObject[] {
  return pending.flatMap(({ type, resource }) => {
    const kind = KINDS[resource.type];
    const name = resource.inputs?.name;
    return type === "creating" && kind !== undefined && typeof name === "string" ? [{ kind, reference: name }] : [];
  });
}

/** What an interrupted update may have removed without noting it. */
export function halfRemoved({ pending_operations: pending = [] }: Deployment): DockerObject[] {
  return pending.flatMap(({ type, resource }) => {
    const kind = KINDS[resource.type];
    return type === "deleting" && kind !== undefined && resource.id !== undefined
      ? [{ kind, reference: resource.id }]
      : [];
  });
}

/** Files that a running workload takes: after an interruption it may have other ones than the state says. */
const LIVE_FILES = /::[a-z0-9-]+-live-files$/;

/**
 * The state without open questions: nothing pending, nothing that is gone, and hot-reloaded files that were being written are written
 * again, also if the change that wrote them has been taken back.
 */
export function settled(deployment: Deployment, gone: ReadonlySet<string>): Deployment {
  const { pending_operations: pending = [], ...rest } = deployment;
  const unsure = new Set(pending.map(({ resource }) => resource.urn).filter((urn) => LIVE_FILES.test(urn)));
  const left = without(rest, gone);
  return {
    ...left,
    resources: (left.resources ?? []).map((resource) =>
      unsure.has(resource.urn) ? { ...resource, taint: true } : resource,
    ),
  };
}

/**
 * Puts right what an update left that was ended in its middle: the lock of a killed engine, containers that it made without
 * noting it, and notes of what it had removed. The update that follows then starts from what is there.
 * The stack's own lock (stackLock.ts) is held meanwhile, so that no update begins between the look and the repair.
 * @returns what the engine keeps of the stack then
 * @throws UserError when an update of the stack runs
 */
export async function repairInterrupted(workspace: Workspace): Promise<Deployment> {
  await releaseEngineLock(workspace);
  const found = await deploymentOf(workspace);
  if ((found.pending_operations ?? []).length === 0) return found;
  const state = await exported(workspace);
  const daemon = await Daemon.of(workspace);
  for (const { kind, reference } of halfMade(state.deployment)) {
    const remove = kind === "container" ? ["rm", "--force", "--volumes"] : [kind, "rm", "--force"];
    if (!(await exists(daemon, { kind, reference }))) continue;
    await daemon.run([...remove, reference]);
    say(`removed a ${kind} that the interrupted update had begun to make: ${reference}`);
  }
  const gone = new Set<string>();
  for (const object of halfRemoved(state.deployment)) if (!(await exists(daemon, object))) gone.add(object.reference);
  const repaired = { ...state, deployment: settled(state.deployment, gone) };
  await replaceState(workspace, repaired);
  return repaired.deployment;
}

async function exists(daemon: Daemon, { kind, reference }: DockerObject): Promise<boolean> {
  return (await daemon.run([kind, "inspect", reference], { allowFailure: true })).code === 0;
}

/** The state without what is gone, which nothing that stays is said to need. */
export function without(deployment: Deployment, gone: ReadonlySet<string>): Deployment {
  return keeping(deployment, ({ type, id }) => KINDS[type] === undefined || id === undefined || !gone.has(id));
}

/** The state with those resources alone that are kept, none of which is said to need another one. */
export function keeping(deployment: Deployment, isKept: (resource: StateResource) => boolean): Deployment {
  const { resources = [], ...rest } = deployment;
  const stays = resources.filter(isKept);
  // A container and the one that takes its place have one URN.
  const known = new Set(stays.map(({ urn }) => urn));
  const ofKnown = (urns: readonly string[]) => urns.filter((urn) => known.has(urn));
  return {
    ...rest,
    resources: stays.map(({ dependencies, propertyDependencies, deletedWith, ...resource }) => ({
      ...resource,
      ...(dependencies === undefined ? {} : { dependencies: ofKnown(dependencies) }),
      ...(propertyDependencies === undefined
        ? {}
        : {
            propertyDependencies: Object.fromEntries(
              Object.entries(propertyDependencies).map(([input, urns]) => [input, ofKnown(urns ?? [])]),
            ),
          }),
      ...(deletedWith !== undefined && known.has(deletedWith) ? { deletedWith } : {}),
    })),
  };
}
