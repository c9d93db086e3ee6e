import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import { heldLock } from "./held.ts";
import type { Update } from "./history.ts";
import { say, UserError } from "./log.ts";
import type { Workspace } from "./workspace.ts";

/** A lock that the engine keeps beside a state in a folder or in object storage. */
export interface EngineLock {
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
function locksInFolder({ cwd, stack }: Workspace): EngineLock[] {
  const folder = join(cwd, "state", ".pulumi", "locks", "organization", "autollm", stack);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as EngineLock);
}

const LOCKED = /the stack is currently locked/;
const LOCK_LINE = /created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)/g;

/** The locks in what the engine says when it is refused one. */
export function locksInMessage(text: string): EngineLock[] {
  if (!LOCKED.test(text)) return [];
  return [...text.matchAll(LOCK_LINE)].map(([, username = "", host = "", pid, timestamp = ""]) => ({
    pid: Number(pid),
    username,
    hostname: host,
    timestamp,
  }));
}

interface StackSummary {
  readonly name: string;
  /** Pulumi Cloud alone says it, and only of a stack that has been updated. */
  readonly updateInProgress?: boolean;
  /** The page of a stack in Pulumi Cloud. */
  readonly url?: string;
}

function refusal(stack: string, who: string): UserError {
  return new UserError(
    `stack ${stack} is being updated by ${who}: wait for its end, and run this again. If that engine is known to be dead: ${commandLine(stack, "pulumi cancel")}`,
  );
}

/**
 * The engine's locks of a stack in another backend than a folder of this clone.
 * @throws UserError when Pulumi Cloud says that an update runs
 */
async function locksInBackend(workspace: Workspace): Promise<EngineLock[]> {
  const { stack, pulumi } = workspace;
  const summaries = JSON.parse((await pulumi(["stack", "ls", "--json"])).stdout) as StackSummary[];
  const summary = summaries.find(({ name }) => name.split("/").at(-1) === stack);
  if (summary === undefined) return [];
  if (summary.updateInProgress === true) throw refusal(stack, await cloudHolder(workspace));
  if (summary.url !== undefined || summary.updateInProgress === false) return [];
  // Object storage and folders: only a command that takes the lock tells whether it is free. This one takes it, and then ends,
  // as the new name is taken: by the stack itself.
  const { stderr, stdout } = await pulumi(["stack", "rename", stack, "--stack", stack], { allowFailure: true });
  const words = `${stderr}${stdout}`;
  const locks = locksInMessage(words);
  if (locks.length > 0) return locks;
  if (/already exists/.test(words)) return [];
  throw new UserError(`it cannot be seen whether an engine updates stack ${stack}: ${words.trim().split("\n").at(-1)}`);
}

/** What Pulumi Cloud tells of the update that runs. */
async function cloudHolder({ pulumi, stack }: Workspace): Promise<string> {
  const answer = await pulumi(["stack", "history", "--stack", stack, "--json", "--page-size", "1"], {
    allowFailure: true,
  });
  const newest = answer.code === 0 ? (JSON.parse(answer.stdout || "[]") as Update[])[0] : undefined;
  if (newest?.result !== "in-progress") return "an engine that Pulumi Cloud's page of the stack names";
  const { environment = {}, startTime } = newest;
  const who = environment["ci.build.url"] ?? environment["git.author"] ?? environment["git.committer"];
  return `${who === undefined ? "an engine" : `an engine (${who})`} since ${startTime}`;
}

/**
 * Makes sure that no engine updates the stack: what its state calls pending is then what a dead one left. The lock of an engine
 * that was killed on this machine is removed; of no other it is known that it is dead.
 * @throws UserError with the holder's name
 */
export async function releaseEngineLock(workspace: Workspace): Promise<void> {
  const { stack, local } = workspace;
  const locks = local ? locksInFolder(workspace) : await locksInBackend(workspace);
  if (locks.length === 0) return;
  // Of a shared stack a host name is too little, as two machines may have the same: the command that the engine ran for must
  // have ended here, too.
  const maySweep = local || heldLock(stack)?.diedHere === true;
  const holder = locks.find((lock) => !maySweep || lock.hostname !== hostname() || runs(lock.pid));
  if (holder !== undefined) {
    const { username, hostname: host, pid, timestamp } = holder;
    throw refusal(stack, `${username}@${host}, process ${pid}, since ${timestamp}`);
  }
  await workspace.pulumi(["cancel", "--stack", stack, "--yes"]);
  say(`the last update of stack ${stack} was killed: its lock is removed`);
}
