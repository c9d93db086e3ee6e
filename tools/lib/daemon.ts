import { spawn } from "node:child_process";
import { pipeline } from "node:stream/promises";
import { commandLine } from "../../components/configCommand.ts";
import { loginOf } from "../../components/host/fromSettings.ts";
import { sshCommand } from "../../components/host/login.ts";
import type { Settings } from "../../components/settings.ts";
import { asRoot, quote } from "../../components/shell.ts";
import { type Content, feedAndRead } from "./flow.ts";
import { UserError } from "./log.ts";
import { type RunOptions, type RunResult, run } from "./run.ts";
import { settingsOf } from "./stackSettings.ts";
import type { Workspace } from "./workspace.ts";

/** A container of a stack. */
export interface StackContainer {
  readonly name: string;
  readonly running: boolean;
}

/** Makes a program with its arguments from the arguments of Docker's client. */
type Line = (args: readonly string[]) => readonly [string, readonly string[]];

/** The Docker daemon that a stack runs on: this machine's, or its host's over SSH. */
export class Daemon {
  readonly stack: string;
  /** Whether it runs on this machine. */
  readonly here: boolean;
  readonly #line: Line;

  private constructor(stack: string, here: boolean, line: Line) {
    this.stack = stack;
    this.here = here;
    this.#line = line;
  }

  static async of(workspace: Workspace): Promise<Daemon> {
    return Daemon.at(workspace.stack, await settingsOf(workspace));
  }

  static at(stack: string, { host, dockerHost }: Pick<Settings, "host" | "dockerHost">): Daemon {
    if (host === undefined)
      return new Daemon(stack, dockerHost.startsWith("unix:"), (args) => ["docker", ["--host", dockerHost, ...args]]);
    const ssh = sshCommand(loginOf(host));
    return new Daemon(stack, false, (args) => [
      "sh",
      ["-c", `${ssh} ${quote(asRoot(["docker", ...args].map(quote).join(" ")))}`],
    ]);
  }

  /** Runs Docker's client to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(...this.#line(args), options);
  }

  /** As `run`, and answers what it said. */
  async ask(...args: readonly string[]): Promise<string> {
    return (await this.run(args)).stdout.trim();
  }

  /** The stack's containers by their workload's name. */
  async containers(): Promise<ReadonlyMap<string, StackContainer>> {
    const format = '{{.Label "autollm.service"}} {{.Names}} {{.State}}';
    const filter = `label=autollm.stack=${this.stack}`;
    const lines = await this.ask("ps", "--all", "--filter", filter, "--format", format);
    return new Map(
      lines
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.split(" "))
        .map(([service = "", name = "", state]) => [service, { name, running: state === "running" }]),
    );
  }

  /** The Docker name of a workload's container. */
  async container(service: string): Promise<string> {
    const found = (await this.containers()).get(service);
    if (found === undefined)
      throw new UserError(`stack ${this.stack} has no ${service}; bring it up: ${commandLine(this.stack, "up")}`);
    return found.name;
  }

  /** Runs Docker's client with an input, and hands on what it says as it comes. A failure throws with its last words. */
  async read(args: readonly string[], input: string, take: (chunk: Uint8Array) => void): Promise<void> {
    const [program, programArgs] = this.#line(args);
    const child = spawn(program, programArgs, { stdio: ["pipe", "pipe", "pipe"] });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      words += chunk;
    });
    child.stdout.on("data", take);
    // A reader that ends early is told by its exit code.
    child.stdin.on("error", () => undefined).end(input);
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exit) => resolve(exit ?? 128));
    });
    if (code !== 0) throw new UserError(words.trim().split("\n").slice(-3).join("; ") || "the program ended early");
  }

  /** Runs Docker's client with content as its input, and answers what it writes, as it comes. A failure throws with its last words. */
  flow(args: readonly string[], content: Content = nothing()): Content {
    return feedAndRead(...this.#line(args), content);
  }

  /** Runs Docker's client here, and hands what it says to Docker's client there. */
  async pipe(args: readonly string[], there: Daemon, thereArgs: readonly string[]): Promise<void> {
    const [from, fromArgs] = this.#line(args);
    const [to, toArgs] = there.#line(thereArgs);
    const source = spawn(from, fromArgs, { stdio: ["ignore", "pipe", "pipe"] });
    const sink = spawn(to, toArgs, { stdio: ["pipe", "ignore", "pipe"] });
    let words = "";
    for (const stream of [source.stderr, sink.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        words += chunk;
      });
    const ended = [source, sink].map(
      (child) =>
        new Promise<number>((resolve, reject) => {
          child.on("error", reject);
          child.on("close", (code) => resolve(code ?? 128));
        }),
    );
    // A reader that ends early is told by its exit code.
    await pipeline(source.stdout, sink.stdin).catch(() => undefined);
    if ((await Promise.all(ended)).some((code) => code !== 0))
      throw new UserError(words.trim().split("\n").slice(-3).join("; ") || "the copy ended early");
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
