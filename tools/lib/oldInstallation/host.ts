import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { quote } from "../../../components/shell.ts";
import { type Content, feedAndRead } from "../flow.ts";
import { UserError } from "../log.ts";
import { type RunOptions, type RunResult, run } from "../run.ts";

/** A program with its arguments. */
export type Line = readonly [program: string, args: readonly string[]];

const SSH = /^ssh:\/\/(?:([\w.-]+)@)?([\w.-]+|\[[0-9a-f:]+\])(?::(\d+))?(\/.*)$/i;

/** The old installation's Docker and files need root, or an account that needs no password for it. */
const elevated = (script: string) =>
  `if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then exec sudo -n sh -c ${quote(script)}; else exec sh -c ${quote(script)}; fi`;

/** Whether a word names an installation, and not a file. */
export const isInstallation = (word: string): boolean =>
  word.startsWith("ssh://") || (existsSync(word) && statSync(word).isDirectory());

/** The machine of an old installation: this one, or one that is reached over SSH. Nothing is changed on it. */
export class OldHost {
  /** The installation's directory there. */
  readonly path: string;
  /** What it is called in messages. */
  readonly name: string;
  readonly #line: (script: string) => Line;

  private constructor(path: string, name: string, line: (script: string) => Line) {
    this.path = path;
    this.name = name;
    this.#line = line;
  }

  /** @param word a directory, or `ssh://USER@HOST:PORT/DIRECTORY` */
  static of(word: string): OldHost {
    if (!word.startsWith("ssh://")) {
      const path = resolve(word);
      return new OldHost(path, path, (script) => ["sh", ["-c", script]]);
    }
    const [, user, host = "", port, path = ""] = SSH.exec(word) ?? [];
    if (host === "") throw new UserError(`${word}: write ssh://USER@HOST/DIRECTORY`);
    const login = `${user === undefined ? "" : `${user}@`}${host.replace(/^\[|\]$/g, "")}`;
    // The host's key must be known already: an attacker who answered instead would be sent a password.
    const options = [
      "-o",
      "BatchMode=yes",
      "-o",
      "StrictHostKeyChecking=yes",
      ...(port === undefined ? [] : ["-p", port]),
    ];
    const there = path.length > 1 ? path.replace(/\/+$/, "") : path;
    return new OldHost(there, `${login}:${there}`, (script) => ["ssh", [...options, login, elevated(script)]]);
  }

  /** Runs a shell script there to its end. A secret goes by `input`. */
  run(script: string, options: Pick<RunOptions, "input" | "allowFailure"> = {}): Promise<RunResult> {
    return run(...this.#line(script), options);
  }

  /** What a shell script writes, as it comes. @throws as the script fails */
  read(script: string, input = ""): Content {
    const [program, args] = this.#line(script);
    return feedAndRead(program, args, single(input));
  }

  /** A file's bytes below the directory, or from the root; undefined if there is none. */
  async file(path: string): Promise<Buffer | undefined> {
    const at = quote(path.startsWith("/") ? path : `${this.path}/${path}`);
    const { code, stdout } = await this.run(`[ -f ${at} ] && base64 <${at}`, { allowFailure: true });
    return code === 0 ? Buffer.from(stdout, "base64") : undefined;
  }
}

async function* single(text: string): AsyncGenerator<Uint8Array> {
  if (text !== "") yield Buffer.from(text);
}

/** Docker's client as a script: its words. */
export const dockerWords = (...words: readonly string[]) => ["docker", ...words].map(quote).join(" ");
