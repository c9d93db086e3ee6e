import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { Content } from "./archive.ts";
import { reason } from "./log.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Added to this process's environment: the way for a password, as a command line is seen by others. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Programs that run now. */
const running = new Set<ChildProcess>();
/** How long a program that is told to end may take: restic removes its lock. */
const GRACE_MS = 8_000;

/** Tells every program that runs to end, and waits until they have. */
export async function endAll(): Promise<void> {
  const ended = [...running].map((child) => new Promise<void>((resolve) => child.once("close", () => resolve())));
  for (const child of running) child.kill("SIGTERM");
  await Promise.race([Promise.all(ended), new Promise((resolve) => setTimeout(resolve, GRACE_MS))]);
}

function started(program: string, args: readonly string[], { env = {}, cwd }: ExecOptions) {
  const child = spawn(program, [...args], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.add(child);
  // A program that ends early is told by its exit code.
  child.stdin.on("error", () => undefined);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = `${stderr}${chunk}`.slice(-100_000);
  });
  const code = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exit) => resolve(exit ?? 128));
  }).finally(() => running.delete(child));
  // A caller that waits for it gets the error; if none does yet, it is no fault of the process.
  code.catch(() => undefined);
  return { child, code, stderr: () => stderr };
}

/** Runs a program to its end and answers what it said, whatever its exit code. */
export async function execute(program: string, args: readonly string[], options: ExecOptions = {}): Promise<Ended> {
  const { child, code, stderr } = started(program, args, options);
  child.stdin.end();
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  return { code: await code, stdout, stderr: stderr() };
}

/** The last lines that a program said, on one line. */
export function lastWords({ stdout, stderr }: Ended, lines = 3): string {
  const text = stderr.trim() === "" ? stdout : stderr;
  return text.trim().split("\n").slice(-lines).join("; ");
}

/** As `execute`; a failure throws with the program's last words. */
export async function must(program: string, args: readonly string[], options: ExecOptions = {}): Promise<string> {
  const ended = await execute(program, args, options);
  if (ended.code !== 0) throw new Error(`${program} ended with exit code ${ended.code}: ${lastWords(ended)}`);
  return ended.stdout;
}

export interface OutputOptions extends ExecOptions {
  /** Milliseconds without a byte after which the program is ended. Default: none. */
  readonly silence?: number;
}

/** What a program writes, as it comes. Fails as the program does; a reader that stops ends it. */
export async function* output(
  program: string,
  args: readonly string[],
  options: OutputOptions = {},
): Content & AsyncGenerator<Uint8Array> {
  const { child, code, stderr } = started(program, args, options);
  child.stdin.end();
  let silent = false;
  const timer =
    options.silence === undefined
      ? undefined
      : setTimeout(() => {
          silent = true;
          child.kill("SIGKILL");
        }, options.silence);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      timer?.refresh();
      yield chunk;
      timer?.refresh();
    }
    const exit = await code;
    if (silent) throw new Error(`${program} wrote nothing for ${(options.silence ?? 0) / 1000} s`);
    if (exit !== 0)
      throw new Error(
        `${program} ended with exit code ${exit}: ${lastWords({ code: exit, stdout: "", stderr: stderr() })}`,
      );
  } finally {
    clearTimeout(timer);
    if (child.exitCode === null) child.kill("SIGTERM");
  }
}

/** A program that runs until it is ended. */
export interface Kept {
  /** Resolves with its last words when it has ended, whatever its exit code. */
  readonly ended: Promise<string>;
  end(): void;
}

/** Starts a program that does not end by itself. */
export function keep(program: string, args: readonly string[], options: ExecOptions = {}): Kept {
  const { child, code, stderr } = started(program, args, options);
  child.stdin.end();
  child.stdout.resume();
  const words = (exit: number) => lastWords({ code: exit, stdout: `exit code ${exit}`, stderr: stderr() }, 2);
  const ended = code.then(words, reason);
  return { ended, end: () => void child.kill("SIGTERM") };
}

/** Hands content to a program. @returns how it ended, whatever its exit code */
export async function feed(
  program: string,
  args: readonly string[],
  write: (stdin: Writable) => Promise<void>,
  options: ExecOptions = {},
): Promise<Ended> {
  const { child, code, stderr } = started(program, args, options);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  try {
    await write(child.stdin);
  } catch (error) {
    const gone = !child.stdin.writable;
    child.kill("SIGTERM");
    // restic ends once its read of the input returns, not before.
    child.stdin.destroy();
    const exit = await code;
    if (gone) return { code: exit === 0 ? 128 : exit, stdout, stderr: stderr() };
    throw error;
  }
  child.stdin.end();
  return { code: await code, stdout, stderr: stderr() };
}
