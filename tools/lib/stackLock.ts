import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { commandLine } from "../../components/configCommand.ts";
import { type HeldLock, setHeld } from "./held.ts";
import { type LockPlace, lockPlace, STALE_SECONDS } from "./lockPlace.ts";
import { say, UserError } from "./log.ts";
import { isAlive, processSpace, startOf } from "./machine.ts";
import { moveNotice, movingIn } from "./moving.ts";

/** How often the holder shows that it lives. */
const BEAT_MS = 30_000;
/** How long one sign may take before it is given up. */
const BEAT_LIMIT_MS = 25_000;

/** The lock that a command hands on to the commands that it starts: `STACK ID`. */
const INHERITED = "AUTOLLM_STACK_LOCK";

// Others wrote it, and it goes to a terminal.
const text = z
  .string()
  .max(200)
  .transform((value) => stripVTControlCharacters(value).replace(/\p{Cc}/gu, ""));
const recordSchema = z.object({
  who: text,
  from: text,
  command: text,
  since: text,
  pid: z.int(),
  /** The process ids among which `pid` is one, and when that process began. */
  space: z.string(),
  start: z.string(),
});
type LockRecord = z.infer<typeof recordSchema>;

/** A lock that somebody holds. */
export interface Holder {
  readonly id: string;
  /** Seconds since the last heartbeat, by the clock of the lock's place. */
  readonly age: number;
  /** Undefined where the record cannot be read. */
  readonly record: LockRecord | undefined;
}

/** Reads what a holder has written; undefined where it cannot be read. */
export function parseRecord(line: string): LockRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Who holds a lock, from where, since when, and what for. */
export function tellHolder({ record, age }: Pick<Holder, "record" | "age">): string {
  if (record === undefined) return `somebody whose record cannot be read (last heartbeat ${age} s ago)`;
  const { who, from, command, since, pid } = record;
  return `${who} from ${from} (${command}, process ${pid}) since ${since}, last heartbeat ${age} s ago`;
}

/** Whether the holder was a process of this machine that has ended. A holder elsewhere is never known to be dead. */
export function diedHere(record: LockRecord | undefined): boolean {
  if (record === undefined || record.space !== processSpace()) return false;
  return !isAlive(record.pid) || startOf(record.pid) !== record.start;
}

/** Who works here, for those who read it elsewhere. */
export function myself(): { readonly who: string; readonly from: string } {
  const { GITHUB_ACTOR: actor, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: runId } = process.env;
  const from = runId === undefined ? hostname() : `run ${runId} of ${repository} on GitHub`;
  return { who: actor ?? userInfo().username, from };
}

function myRecord(command: string): LockRecord {
  const since = new Date().toISOString();
  const pid = process.pid;
  return { ...myself(), command: command.slice(0, 200), since, pid, space: processSpace(), start: startOf(pid) };
}

function heldOf(answer: string): Holder {
  const [head = "", record = "", id = ""] = answer.split("\n");
  return { id, age: Number(head.split(" ")[1] ?? 0), record: parseRecord(record) };
}

/** Who holds the lock of a stack, if anybody does. */
export async function holderOf(place: LockPlace): Promise<Holder | undefined> {
  const answer = await place.run("look", { id: "nobody" });
  return answer.startsWith("held ") ? heldOf(answer) : undefined;
}

/** Why another command than the move's own may change nothing of a stack that is moved; undefined where none is. */
export function moveRefusal(stack: string, command: string, answer: string): HeldLock["refuses"] {
  const moving = movingIn(answer);
  return moving === undefined || command.split(" ")[0] === "move" ? undefined : moveNotice(stack, moving);
}

/** Takes the lock, also one whose holder is dead. */
async function take(stack: string, place: LockPlace, id: string, command: string): Promise<HeldLock> {
  const record = JSON.stringify(myRecord(command));
  let answer = await place.run("take", { id, record });
  if (answer.startsWith("held ")) {
    const holder = heldOf(answer);
    if (diedHere(holder.record)) answer = await place.run("take", { id, record, dead: holder.id });
    if (answer.startsWith("held ")) {
      const now = heldOf(answer);
      throw new UserError(
        `stack ${stack} is being changed by ${tellHolder(now)}. Nothing was changed. Wait for its end, and run this again.\n` +
          `A holder that sends no heartbeat for ${STALE_SECONDS / 60} minutes counts as dead; if you know that it is dead: ${commandLine(stack, "unlock")}`,
      );
    }
  }
  const refuses = moveRefusal(stack, command, answer);
  if (!answer.startsWith("inherited ")) return lockUnder(refuses, false);
  const before = heldOf(answer);
  say(`the lock of stack ${stack} was left by ${tellHolder(before)}: it is taken over`);
  return lockUnder(refuses, diedHere(before.record));
}

const lockUnder = (refuses: HeldLock["refuses"], died: boolean): HeldLock => ({
  diedHere: died,
  ...(refuses === undefined ? {} : { refuses }),
});

/** Shows that the holder lives, until it is stopped. */
function keepAlive(stack: string, place: LockPlace, id: string, lock: HeldLock): () => void {
  let last = Date.now();
  const timer = setInterval(async () => {
    const answer = await place.run("beat", { id }, BEAT_LIMIT_MS).catch(() => undefined);
    if (answer?.startsWith("ok") === true) last = Date.now();
    const lost = answer?.startsWith("lost") === true || Date.now() - last > STALE_SECONDS * 1000;
    if (!lost || lock.stop !== undefined) return;
    lock.stop = `the lock of stack ${stack} was lost (${place.where}): nothing more is changed. See who has it, then run this again.`;
    say(lock.stop);
  }, BEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The first Ctrl-C lets the engine end what it does, which has been told as well; then the lock is given back. The second ends all. */
function onSignals(lock: HeldLock): () => void {
  const onSignal = () => {
    if (lock.stop !== undefined) process.exit(130);
    lock.stop = "ended by a signal; what was begun is put right by the next run";
    say("the command ends as soon as the running step has ended; press Ctrl-C again to end it at once");
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

/**
 * Does the work while nobody else changes the stack: the whole command, as between two updates of the engine's the engine's own
 * lock is free. A command that was started under the lock works under it.
 * @param command what others are told
 * @throws UserError with the holder's name when another holds the lock
 */
export async function withStackLock<T>(stack: string, command: string, work: () => Promise<T>): Promise<T> {
  const place = await lockPlace(stack);
  const [inheritedStack, inheritedId = ""] = (process.env[INHERITED] ?? "").split(" ");
  const inherited = inheritedStack === stack;
  const id = inherited ? inheritedId : randomUUID();
  const beat = inherited ? await place.run("beat", { id }) : "";
  if (inherited && !beat.startsWith("ok"))
    throw new UserError(
      `the command that started this one no longer has the lock of stack ${stack}: nothing was changed`,
    );
  const lock: HeldLock = inherited
    ? lockUnder(moveRefusal(stack, command, beat), false)
    : await take(stack, place, id, command);
  const before = process.env[INHERITED];
  process.env[INHERITED] = `${stack} ${id}`;
  setHeld(stack, lock);
  const stops = [keepAlive(stack, place, id, lock), onSignals(lock)];
  try {
    return await work();
  } finally {
    for (const stop of stops) stop();
    setHeld(stack, undefined);
    if (before === undefined) delete process.env[INHERITED];
    else process.env[INHERITED] = before;
    if (!inherited)
      await place
        .run("release", { id })
        .catch(() => say(`the lock of stack ${stack} could not be given back (${place.where})`));
  }
}
