import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Daemon } from "./daemon.ts";
import { say, UserError } from "./log.ts";
import type { Workspace } from "./workspace.ts";

/** What the engine keeps of a resource, as far as it matters here. */
interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: { readonly name?: unknown };
  /** Whether the next update makes it anew. */
  readonly taint?: boolean;
}

/** A step that the engine had begun, and whose end it never saw. */
interface PendingOperation {
  readonly type: string;
  readonly resource: StateResource;
}

/** The part of an exported state that an interrupted update leaves unclear. */
export interface Deployment {
  readonly resources?: readonly StateResource[];
  readonly pending_operations?: readonly PendingOperation[];
}

/** A thing of Docker's that an interrupted update may have made, or may have removed. */
export interface DockerObject {
  readonly kind: "container" | "network" | "volume";
  /** Its name, or its id. */
  readonly reference: string;
}

const KINDS: Readonly<Record<string, DockerObject["kind"]>> = {
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
 * The state without open questions: nothing pending, nothing that is gone, and live files that were being written are written
 * anew, also where the change that wrote them has been taken back.
 */
export function settled(deployment: Deployment, gone: ReadonlySet<string>): Deployment {
  const { pending_operations: pending = [], resources = [], ...rest } = deployment;
  const isGone = ({ type, id }: StateResource) => KINDS[type] !== undefined && id !== undefined && gone.has(id);
  const unsure = new Set(pending.map(({ resource }) => resource.urn).filter((urn) => LIVE_FILES.test(urn)));
  return {
    ...rest,
    resources: resources
      .filter((resource) => !isGone(resource))
      .map((resource) => (unsure.has(resource.urn) ? { ...resource, taint: true } : resource)),
  };
}

interface Lock {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

/** Whether a process of this machine is an engine that runs. */
function runs(pid: number): boolean {
  const commandLine = `/proc/${pid}/cmdline`;
  return existsSync(commandLine) && readFileSync(commandLine, "utf8").includes("pulumi");
}

/** The locks of a stack whose state lies in a folder of this machine. */
function locksOf({ cwd, stack, local }: Workspace): Lock[] {
  const folder = join(cwd, "state", ".pulumi", "locks", "organization", "autollm", stack);
  if (!local || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Lock);
}

/** Removes the lock of an engine that was killed. One that runs is left alone. */
async function releaseLock(workspace: Workspace): Promise<void> {
  const locks = locksOf(workspace);
  if (locks.length === 0) return;
  const holder = locks.find((lock) => lock.hostname !== hostname() || runs(lock.pid));
  if (holder !== undefined) {
    throw new UserError(
      `stack ${workspace.stack} is being updated by ${holder.username}@${holder.hostname}, process ${holder.pid}, since ${holder.timestamp}: wait for its end, and run this again`,
    );
  }
  await workspace.pulumi(["cancel", "--stack", workspace.stack, "--yes"]);
  say(`the last update of stack ${workspace.stack} was killed: its lock is removed`);
}

/**
 * Puts right what an update left that was ended in its middle: the lock of a killed engine, containers that it made without
 * noting it, and notes of what it had removed. The update that follows then starts from what is there.
 * @throws UserError when an update of the stack runs
 */
export async function mendInterrupted(workspace: Workspace): Promise<void> {
  await releaseLock(workspace);
  const { stdout } = await workspace.pulumi(["stack", "export", "--stack", workspace.stack]);
  const state = JSON.parse(stdout) as { readonly deployment: Deployment };
  if ((state.deployment.pending_operations ?? []).length === 0) return;
  const daemon = await Daemon.of(workspace);
  for (const { kind, reference } of halfMade(state.deployment)) {
    const remove = kind === "container" ? ["rm", "--force", "--volumes"] : [kind, "rm", "--force"];
    if (!(await exists(daemon, { kind, reference }))) continue;
    await daemon.run([...remove, reference]);
    say(`removed a ${kind} that the interrupted update had begun to make: ${reference}`);
  }
  const gone = new Set<string>();
  for (const object of halfRemoved(state.deployment)) if (!(await exists(daemon, object))) gone.add(object.reference);
  const mended = { ...state, deployment: settled(state.deployment, gone) };
  await workspace.pulumi(["stack", "import", "--stack", workspace.stack], { input: JSON.stringify(mended) });
}

async function exists(daemon: Daemon, { kind, reference }: DockerObject): Promise<boolean> {
  return (await daemon.run([kind, "inspect", reference], { allowFailure: true })).code === 0;
}
