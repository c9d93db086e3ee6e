import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Payload, parsePayload } from "./messages.ts";

export interface KillSwitchState {
  readonly active: boolean;
  /** What the file says: who, why, when. */
  readonly detail?: string;
}

/** Any message on the switch's subject sets it, whatever it says: a stop must not fail on its wording. */
export function readActivation(text: string): Payload {
  try {
    return parsePayload(text);
  } catch {
    return { reason: text.slice(0, 200), at: new Date().toISOString() };
  }
}

/** Whether a path is absent for certain: a folder that cannot be read proves nothing. */
function isAbsent(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/**
 * The file that stops all order execution. It exists or it does not: it survives restarts, it can be set without this
 * program (any file will do), and only removing it releases the switch.
 *
 * A full disk must not prevent a stop. So a second file is kept in reserve, and renaming it needs no space; if even that fails, the
 * switch is set in memory and the file is tried again each time that somebody asks.
 */
export class KillSwitch {
  readonly #path: string;
  readonly #reserve: string;
  #unwritten: object | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#reserve = `${path}.reserve`;
    this.#keepReserve();
  }

  state(): KillSwitchState {
    if (this.#unwritten !== undefined) {
      const detail = this.#unwritten;
      if (isAbsent(this.#path)) this.#write(detail);
      if (isAbsent(this.#path)) return { active: true, detail: JSON.stringify(detail) };
      // The file decides from here on, so removing it releases the switch.
      this.#unwritten = undefined;
    }
    if (isAbsent(this.#path)) {
      this.#keepReserve();
      return { active: false };
    }
    try {
      return { active: true, detail: readFileSync(this.#path, "utf8").trim() };
    } catch {
      // Unreadable, or a directory: still set.
      return { active: true };
    }
  }

  /** Sets the switch; one that is set keeps its first reason. Never throws. */
  activate(detail: object): void {
    if (!isAbsent(this.#path)) return;
    this.#unwritten = detail;
    this.#write(detail);
    if (!isAbsent(this.#path)) this.#unwritten = undefined;
  }

  #write(detail: object): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(`${this.#path}.part`, `${JSON.stringify(detail)}\n`, { flush: true });
      renameSync(`${this.#path}.part`, this.#path);
    } catch {
      try {
        renameSync(this.#reserve, this.#path);
      } catch {
        // Neither a new file nor the reserve: the switch stays set in memory.
      }
    }
  }

  #keepReserve(): void {
    if (existsSync(this.#reserve)) return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(this.#reserve, `${JSON.stringify({ reason: "set while the disk was full" })}\n`);
    } catch {
      // Tried again when the state is asked for.
    }
  }
}
