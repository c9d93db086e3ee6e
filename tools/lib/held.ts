import { UserError } from "./log.ts";

/** The lock of a stack, as the process that works under it knows it. */
export interface HeldLock {
  /** Whether its holder before was a process of this machine that has ended without giving it back. */
  readonly diedHere: boolean;
  /** Why the engine may change nothing of the stack under this lock. */
  readonly refuses?: string;
  /** Why the work must not go on, if so: the lock was lost, or the user wants the command to end. */
  stop?: string;
}

const held = new Map<string, HeldLock>();

export function setHeld(stack: string, lock: HeldLock | undefined): void {
  if (lock === undefined) held.delete(stack);
  else held.set(stack, lock);
}

export function heldLock(stack: string): HeldLock | undefined {
  return held.get(stack);
}

/** Commands of Pulumi's that change a stack or its state; by their second word where the first one also names harmless ones. */
const CHANGING: Readonly<Record<string, true | readonly string[]>> = {
  up: true,
  update: true,
  destroy: true,
  down: true,
  refresh: true,
  import: true,
  watch: true,
  state: true,
  stack: ["import", "rm", "rename"],
};

/** Whether a command line of Pulumi's changes a stack. `cancel` does not count: it is for a lock whose holder is dead. */
export function changesStack(args: readonly string[]): boolean {
  const [first = "", second = ""] = args.filter((arg) => !arg.startsWith("-"));
  if (["--help", "-h", "--preview-only"].some((flag) => args.includes(flag))) return false;
  const entry = Object.hasOwn(CHANGING, first) ? CHANGING[first] : undefined;
  return entry === true || (entry?.includes(second) ?? false);
}

/**
 * Refuses a change of a stack whose lock is not held.
 * @throws UserError when the lock has been lost, or the command is to end
 */
export function assertMayChange(stack: string, args: readonly string[]): void {
  if (!changesStack(args)) return;
  const lock = held.get(stack);
  if (lock === undefined)
    throw new Error(
      `pulumi ${args.slice(0, 2).join(" ")} without the lock of ${stack}: the command declares no change`,
    );
  const refused = lock.stop ?? lock.refuses;
  if (refused !== undefined) throw new UserError(refused);
}
