import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { wholeOf } from "./halfWritten.ts";
import type { Workspace } from "./workspace.ts";

/** What the engine keeps of a resource, as far as the commands look at it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: { readonly name?: unknown };
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** What it needs, by URN. */
  readonly dependencies?: readonly string[];
  /** The same for each input. */
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
  /** The resource that takes it along when it is removed. */
  readonly deletedWith?: string;
  /** Whether the next update replaces it. */
  readonly taint?: boolean;
  /** When its value was made; absent for what the engine does not keep. */
  readonly created?: string;
}

/** A step that the engine had begun, and whose end it never saw. */
export interface PendingOperation {
  readonly type: string;
  readonly resource: StateResource;
}

/** What the engine keeps of a stack. */
export interface Deployment {
  /** When it was written (ISO 8601): every update writes it again, also one that changes nothing. */
  readonly manifest?: { readonly time: string };
  readonly resources?: readonly StateResource[];
  readonly pending_operations?: readonly PendingOperation[];
}

/** The form of the engine's file that is known here (apitype.VersionedCheckpoint). */
const FORM = 3;

interface StateFile {
  readonly version: number;
  readonly checkpoint?: { readonly latest?: Deployment | null };
}

/** The file in which the engine keeps a stack of this machine. */
export function stateFile({ cwd, stack }: Pick<Workspace, "cwd" | "stack">): string {
  return join(cwd, "state", ".pulumi", "stacks", "autollm", `${stack}.json`);
}

/** Whose state it is, and how the engine is asked for it. */
type StateOf = Pick<Workspace, "stack" | "local" | "cwd" | "pulumi">;

/**
 * What the engine keeps of a stack, with its secrets encrypted. The file of a stack on this machine is read directly, since a start
 * of the engine takes a third of a second or more; the engine is asked where the state lies elsewhere, or the file has another form.
 */
export async function deploymentOf(workspace: StateOf): Promise<Deployment> {
  const path = stateFile(workspace);
  if (workspace.local && existsSync(path)) {
    const file = await wholeOf(
      () => parsed(readFileSync(path, "utf8")),
      (answer) => answer === undefined,
    );
    if (file?.version === FORM && file.checkpoint !== undefined) return file.checkpoint.latest ?? {};
  }
  return (await exported(workspace)).deployment;
}

/** Undefined for what is no JSON. */
function parsed(text: string): StateFile | undefined {
  try {
    return JSON.parse(text) as StateFile;
  } catch {
    return undefined;
  }
}

/** Puts another state in the place of the one that was exported. */
export async function replaceState(
  workspace: Pick<Workspace, "stack" | "pulumi">,
  state: { readonly deployment: Deployment },
): Promise<void> {
  await workspace.pulumi(["stack", "import", "--stack", workspace.stack], { input: JSON.stringify(state) });
}

/** The state as the engine hands it out, and takes it back. */
export async function exported(
  workspace: Pick<Workspace, "stack" | "pulumi">,
): Promise<{ readonly deployment: Deployment }> {
  const { stdout } = await workspace.pulumi(["stack", "export", "--stack", workspace.stack]);
  return JSON.parse(stdout) as { deployment: Deployment };
}
