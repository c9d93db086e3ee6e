import type { Row } from "./judge.ts";

const NAME = 10;
const OUTCOME = 9;

/** The rows as text: what was seen, and below each that falls short how it is fixed. */
export function table(rows: readonly Row[]): string {
  return rows
    .map(({ check, outcome, detail, fix }) => {
      const line = `${check.padEnd(NAME)}${outcome.padEnd(OUTCOME)}${detail}\n`;
      return fix === undefined ? line : `${line}${" ".repeat(NAME)}${"fix:".padEnd(OUTCOME)}${fix}\n`;
    })
    .join("");
}
