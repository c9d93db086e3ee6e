import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loginOf } from "../../components/host/fromSettings.ts";
import { contactOnHost } from "../../components/host/reach.ts";
import { ConfigError, type Settings } from "../../components/settings.ts";
import { assignments } from "../../components/shell.ts";
import { UserError } from "./log.ts";
import { type RunResult, run } from "./run.ts";
import { settingsOf } from "./stackSettings.ts";
import { checkStackName, isShared, localHome, openWorkspace, stackExists } from "./workspace.ts";

/** Seconds after its last heartbeat at which a lock counts as its dead holder's: ten signs (`stackLock.ts`). */
export const STALE_SECONDS = 300;

const script = readFileSync(new URL("stack-lock.sh", import.meta.url), "utf8");

export type LockAction = "take" | "look" | "beat" | "release";

export interface LockRequest {
  readonly id: string;
  /** What others are told about the holder; one line. */
  readonly record?: string;
  /** Id of a holder that is known to be dead. */
  readonly dead?: string;
}

/** Where the lock of a stack lies: on the machine where all meet who change it. */
export interface LockPlace {
  /** Where that is, for people. */
  readonly where: string;
  /** Runs one action of stack-lock.sh there. A failure throws. */
  run(action: LockAction, request: LockRequest, limit?: number): Promise<string>;
}

function textOf(place: Directory, stack: string, action: LockAction, { id, record, dead }: LockRequest): string {
  const variables = {
    ACTION: action,
    DIRECTORY: place.directory,
    MOVE: place.move ?? "",
    NAME: stack,
    ID: id,
    RECORD: record ?? "",
    STALE: String(STALE_SECONDS),
    DEAD: dead ?? "",
  };
  return `${assignments(variables)}\n${script}`;
}

interface Directory {
  readonly directory: string;
  /** Where the files of the stack's move lie on that machine. */
  readonly move?: string;
}

type Send = (text: string, limit?: number) => Promise<RunResult>;

function place(stack: string, directory: string, machine: string, send: Send, move?: string): LockPlace {
  return {
    where: `${join(directory, stack)} on ${machine}`,
    run: async (action, request, limit) => {
      const { code, stdout, stderr } = await send(
        textOf({ directory, ...(move === undefined ? {} : { move }) }, stack, action, request),
        limit,
      );
      if (code === 0) return stdout;
      throw new UserError(
        `the lock of stack ${stack} (${join(directory, stack)} on ${machine}) cannot be reached: ${stderr.trim().split("\n").at(-1) || `exit code ${code}`}`,
      );
    },
  };
}

const limited = (limit: number | undefined) => (limit === undefined ? {} : { limit });
const here: Send = (text, limit) => run("sh", ["-s"], { input: text, allowFailure: true, ...limited(limit) });

/** Root's alone; it goes with a restart of the host, as the processes that were at work there do. */
const HOST_DIRECTORY = "/run/autollm-locks";
/** Where the files of a stack's move lie on each of its two hosts; root's alone. */
export const moveDirectory = (stack: string): string => `/var/lib/autollm/move/${stack}`;
/** On this machine, for a stack whose state lies here too: the folder of its move. */
export const localMove = (stack: string): string => join(localHome(), "move", stack);
/** Every account of the machine may write there. */
const sharedDirectory = () => (existsSync("/run/lock") ? "/run/lock/autollm-locks" : "/tmp/autollm-locks");

/** The file of a stack's lock, on the machine of its Docker. */
export function lockFile(stack: string, { host }: Pick<Settings, "host">): string {
  if (!isShared(stack)) return join(localHome(), "locks", stack);
  return join(host === undefined ? sharedDirectory() : HOST_DIRECTORY, stack);
}

/** Where the machine of a stack's Docker is told of the stack's move. */
export const moveFolder = (stack: string, { host }: Pick<Settings, "host">): string =>
  host === undefined ? localMove(stack) : moveDirectory(stack);

/**
 * The place of a stack that others change too.
 * @param hostDirectory on a host that the stack sets up
 */
export function sharedPlace(
  stack: string,
  { host, dockerHost }: Pick<Settings, "host" | "dockerHost">,
  hostDirectory = HOST_DIRECTORY,
): LockPlace {
  if (host !== undefined) {
    const on = (text: string) => contactOnHost(loginOf(host), host.user, host.firstPort, text);
    return place(stack, hostDirectory, host.address, (text, limit) => here(on(text), limit), moveDirectory(stack));
  }
  if (!dockerHost.startsWith("ssh://")) return place(stack, sharedDirectory(), "this machine", here);
  const { hostname, port, username } = new URL(dockerHost);
  const options = ["-o", "BatchMode=yes", ...(port === "" ? [] : ["-p", port])];
  const login = username === "" ? hostname : `${username}@${hostname}`;
  return place(stack, "/tmp/autollm-locks", hostname, (text, limit) =>
    run("ssh", [...options, login, "sh", "-s"], { input: text, allowFailure: true, ...limited(limit) }),
  );
}

/**
 * Where the lock of a stack lies. A stack of this machine has it in its own folder, a shared one on its Docker host: that is
 * reached by all who change the stack, whatever their state's backend is, and by two backends that name one host.
 * @throws UserError when the stack is not there, or its config has faults
 */
export async function lockPlace(stack: string): Promise<LockPlace> {
  checkStackName(stack);
  if (!isShared(stack)) return place(stack, join(localHome(), "locks"), "this machine", here, localMove(stack));
  const workspace = await openWorkspace(stack);
  if (!(await stackExists(workspace)))
    throw new UserError(`there is no stack ${stack}; make it: ./autollm pulumi stack init ${stack}`);
  try {
    return sharedPlace(stack, await settingsOf(workspace));
  } catch (error) {
    if (error instanceof ConfigError) throw new UserError(error.message);
    throw error;
  }
}
