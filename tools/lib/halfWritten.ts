import { setTimeout as sleep } from "node:timers/promises";
import type { RunResult } from "./run.ts";

/** Seen: an engine writes a state within milliseconds; on a machine with much other work within a second. */
const TRIES = 10;
const PAUSE_MS = 500;

/** What the engine says of a state that it found half written. */
const SAYS = /^error: .*\b(?:EOF|unexpected end of JSON input)$/m;

export function readHalf({ code, stderr }: RunResult): boolean {
  return code !== 0 && SAYS.test(stderr);
}

/**
 * Reads a state, and again if it was read while another engine was writing it: a folder as backend has no writes that are seen
 * whole or not at all. The last answer counts, whatever it is.
 */
export async function wholeOf<T>(read: () => T | Promise<T>, isHalf: (answer: T) => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await read();
    if (attempt === TRIES || !isHalf(answer)) return answer;
    await sleep(PAUSE_MS);
  }
}
