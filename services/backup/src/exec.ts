import { spawn } from "node:child_process";

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

/** Runs a program to its end and answers what it said, whatever its exit code. */
export async function execute(
  program: string,
  args: readonly string[],
  { env = {}, cwd }: ExecOptions = {},
): Promise<Ended> {
  const child = spawn(program, [...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exit) => resolve(exit ?? 128));
  });
  return { code, stdout, stderr };
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
