import { createInterface } from "node:readline/promises";

/** Whether nobody is to be asked: the flag that allows it (`--yes`, `--install`) is given, or a machine runs the command. */
export function unasked(allowed: boolean | undefined): boolean {
  return allowed === true || (process.env.CI !== undefined && process.env.CI !== "");
}

/** Asks a question that only a typed "y" answers with yes; without a terminal the answer is no. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
