import { type SpawnOptions, spawn } from "node:child_process";

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to the program's standard input. */
  readonly input?: string;
  /** `show` lets the program speak with the user: output, and answers to what it asks; `capture` (default) returns the output. */
  readonly output?: "capture" | "show";
  /** With `show`: also return what the program said on standard error. */
  readonly keepErrors?: boolean;
  /** Return a failure instead of throwing it. */
  readonly allowFailure?: boolean;
  /** Milliseconds after which the program is ended, with the code 128. */
  readonly limit?: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. A failure throws with the program's last lines, unless `allowFailure` is set. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const show = options.output === "show";
  const keeps = !show || options.keepErrors === true;
  const outputs = [show ? "inherit" : "pipe", keeps ? "pipe" : "inherit"] as const;
  const spawnOptions: SpawnOptions = {
    env: { ...process.env, ...options.env },
    stdio: [options.input === undefined ? (show ? "inherit" : "ignore") : "pipe", ...outputs],
  };
  if (options.cwd !== undefined) spawnOptions.cwd = options.cwd;
  if (options.limit !== undefined) spawnOptions.timeout = options.limit;
  const child = spawn(program, [...args], spawnOptions);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    if (show) process.stderr.write(chunk);
  });
  // A program that ends before it has read its input is told by its exit code.
  if (options.input !== undefined) child.stdin?.on("error", () => undefined).end(options.input);
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exit, signal) => resolve(exit ?? (signal === null ? 1 : 128)));
  });
  const result = { code, stdout, stderr };
  if (code !== 0 && options.allowFailure !== true) throw failureOf(program, args, result);
  return result;
}

/** What a program's failure is told as: with its last lines. */
export function failureOf(program: string, args: readonly string[], { code, stdout, stderr }: RunResult): Error {
  const tail = `${stdout}${stderr}`.trim().split("\n").slice(-30).join("\n");
  return new Error(`${program} ${args[0] ?? ""} ended with exit code ${code}${tail === "" ? "" : `:\n${tail}`}`);
}

/** The path of a program on PATH, or undefined. */
export async function which(program: string): Promise<string | undefined> {
  const { code, stdout } = await run("sh", ["-c", 'command -v "$1"', "sh", program], { allowFailure: true });
  return code === 0 ? stdout.trim() : undefined;
}
