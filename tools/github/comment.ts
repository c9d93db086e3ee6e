import { stripVTControlCharacters } from "node:util";

export interface Preview {
  readonly stack: string;
  /** What `./autollm preview` wrote; undefined where it was not run. */
  readonly text: string | undefined;
}

/** By this line the workflow finds its comment again, to update it. */
export const MARKER = "<!-- autollm-preview -->";
/** GitHub refuses a comment of more than 65,536 characters. */
const MAX_COMMENT = 65_000;

/** A fence that no line of the text can close. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  return "`".repeat(longest + 1);
}

/** The counts that Pulumi ends a preview with, in one line. */
export function summary(text: string): string {
  const lines = stripVTControlCharacters(text).split("\n");
  const start = lines.findLastIndex((line) => /^Resources:/.test(line.trim()));
  if (start === -1) return "failed";
  const counts = lines.slice(start + 1).map((line) => line.trim());
  const end = counts.indexOf("");
  const shown = counts.slice(0, end === -1 ? undefined : end).filter((line) => /^[-+~\d]/.test(line));
  const failed = lines.some((line) => /^error: pulumi preview failed/.test(line));
  return `${failed ? "failed: " : ""}${shown.join(", ") || "no changes"}`;
}

/** The comment: a line per stack, and the whole preview folded below. The end of a long one is kept: there are the verdicts. */
export function previewComment(previews: readonly Preview[]): string {
  const room = Math.floor((MAX_COMMENT - 2000) / Math.max(1, previews.length));
  const parts = previews.map(({ stack, text }) => {
    if (text === undefined) return `### ${stack}: not previewed\n`;
    const plain = stripVTControlCharacters(text).trim();
    const shown = plain.length > room ? `... the beginning is in the run's log ...\n${plain.slice(-room)}` : plain;
    const ticks = fence(shown);
    return `### ${stack}: ${summary(plain)}\n\n<details><summary>preview</summary>\n\n${ticks}diff\n${shown}\n${ticks}\n\n</details>\n`;
  });
  return `${MARKER}\n## What this would change\n\n${parts.join("\n")}`;
}
