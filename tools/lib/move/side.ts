import { readFileSync } from "node:fs";
import { filesDirectory } from "../../../components/filesDirectory.ts";
import { loginOf } from "../../../components/host/fromSettings.ts";
import { sharedConnection, sshOptions } from "../../../components/host/login.ts";
import { aptFunction } from "../../../components/host/steps/packages.ts";
import type { Settings } from "../../../components/settings.ts";
import { assignments, quote, ROOT_SHELL } from "../../../components/shell.ts";
import { moveDirectory } from "../lockPlace.ts";
import { UserError } from "../log.ts";
import { type RunResult, run } from "../run.ts";
import { type MoveRecord, readRecord } from "./record.ts";

const text = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const script = text("move.sh");
const resume = text("resume.sh");
export const relay = text("relay.sh");

/** Seconds without a sign of the command after which the old host starts again by itself. */
export const LEASE_S = 180;

/** The files of a move on one host: which there are, and the record. */
export interface Seen {
  readonly files: ReadonlySet<string>;
  readonly record: MoveRecord | undefined;
}

/** As `asRoot`, but leaves what is not read of its input: of two programs that read each other, each would wait for the other's end. */
export function becomeRoot(shellScript: string): string {
  const words = `sh -c ${quote(shellScript)}`;
  return `if [ "$(id -u)" -eq 0 ]; then exec ${words}; else exec sudo -n ${words}; fi`;
}

/** Reads what `look` says. */
export function seen(answer: string): Seen {
  const after = (word: string) =>
    answer
      .split("\n")
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  const [record] = after("record");
  return { files: new Set(after("file")), record: record === undefined ? undefined : readRecord(record) };
}

/** One of the two hosts of a move, over SSH as root. */
export class Side {
  readonly stack: string;
  readonly host: NonNullable<Settings["host"]>;
  /** Where the move's files lie there. */
  readonly directory: string;
  readonly #files: string;
  readonly #ssh: string;

  constructor(stack: string, settings: Settings, host: NonNullable<Settings["host"]>) {
    this.stack = stack;
    this.host = host;
    this.directory = moveDirectory(stack);
    this.#files = filesDirectory({ ...settings, host }, stack);
    const login = loginOf(host);
    // One connection for all: a stop has no time for logins, and the host's firewall counts them.
    const options = [...sshOptions(login), ...sharedConnection(), `${login.user}@${login.address}`].map(quote);
    // Where the shared connection's socket lies.
    this.#ssh = `[ -d ~/.ssh ] || mkdir -m 0700 ~/.ssh; exec ssh ${options.join(" ")}`;
  }

  get address(): string {
    return this.host.address;
  }

  /** A program with its arguments that runs a script there as root; the script's input and output are the program's. */
  line(shellScript: string): readonly [string, readonly string[]] {
    return ["sh", ["-c", `${this.#ssh} ${quote(becomeRoot(shellScript))}`]];
  }

  /** Runs an action of move.sh, and answers what it said. */
  async run(action: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const all = {
      ACTION: action,
      DIRECTORY: this.directory,
      STACK: this.stack,
      FILES: this.#files,
      LEASE: String(LEASE_S),
      ...(action === "stop" ? { RESUME: Buffer.from(resume).toString("base64") } : {}),
      ...variables,
    };
    const apt = action === "tools" ? `export DEBIAN_FRONTEND=noninteractive\n${aptFunction()}\n` : "";
    // As a function: what it starts must not read the rest of the script.
    const input = `main() {\n${assignments(all)}\n${apt}${script}\n}\nmain </dev/null\n`;
    const result = await run("sh", ["-c", `${this.#ssh} ${quote(ROOT_SHELL)}`], { input, allowFailure: true });
    if (result.code === 0) return result.stdout;
    throw this.#fault(action, result);
  }

  #fault(action: string, { code, stderr }: RunResult): UserError {
    const lines = stderr.trim().split("\n").slice(-3).join("; ");
    return new UserError(`${this.address}, ${action}: ${lines === "" ? `exit code ${code}` : lines}`);
  }

  async look(): Promise<Seen> {
    return seen(await this.run("look"));
  }

  write(name: string, content: string): Promise<string> {
    return this.run("write", { NAME: name, CONTENT: Buffer.from(content).toString("base64") });
  }

  read(name: string): Promise<string> {
    return this.run("read", { NAME: name });
  }

  /** Ends when each of the services' containers is healthy, or runs where it has no check. */
  async healthy(services: readonly string[], seconds: number): Promise<void> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const lines = (await this.run("health", { SERVICES: services.join(" ") })).trim().split("\n");
      const waiting = lines.filter((line) => !/ (healthy|running)$/.test(line) && line !== "");
      if (waiting.length === 0) return;
      if (Date.now() > end)
        throw new UserError(`not healthy on ${this.address} after ${seconds} s: ${waiting.join(", ")}`);
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}
