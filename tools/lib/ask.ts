import { createInterface } from "node:readline/promises";

/** Whether nobody is to be asked: `--yes`, or a run by a machine. */
export function unasked(yes: boolean | undefined): boolean {
  return yes === true || (process.env.CI !== undefined && process.env.CI !== "");
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
