import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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

/**
 * The file that stops all order execution. It is there or it is not: it survives restarts, it can be set without this
 * program (any file will do), and only removing it releases the switch.
 */
export class KillSwitch {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  state(): KillSwitchState {
    if (!existsSync(this.#path)) return { active: false };
    try {
      return { active: true, detail: readFileSync(this.#path, "utf8").trim() };
    } catch {
      // Unreadable, or a directory: still set.
      return { active: true };
    }
  }

  /** Sets the switch; one that is set keeps its first reason. */
  activate(detail: object): void {
    if (existsSync(this.#path)) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(`${this.#path}.part`, `${JSON.stringify(detail)}\n`);
    renameSync(`${this.#path}.part`, this.#path);
  }
}
