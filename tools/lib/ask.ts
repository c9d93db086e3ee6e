import { createInterface } from "node:readline/promises";

/** Whether nobody is to be asked: the flag that allows it (`--yes`, `--install`) is given, or a machine runs the command. */
export function unasked(allowed: boolean | undefined): boolean {
  return allowed === true || (process.env.CI !== undefined && process.env.CI !== "");
}

/** Asks a question that only a typed "y" answers with yes; without a terminal the answer is no. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C is an answer too: a process that ended here would leave the stack's lock behind.
  const ended = new AbortController();
  terminal.on("SIGINT", () => ended.abort()).on("close", () => ended.abort());
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: ended.signal }).catch(() => "");
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
