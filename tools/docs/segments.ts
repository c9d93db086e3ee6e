import { portsOf } from "../../components/ports.ts";
import {
  isOpen,
  type SegmentName,
  segmentNames,
  segmentTable,
  sharedSegments,
} from "../../components/runtime/segments.ts";

/** A workload and the segments that it joins. */
export interface Member {
  readonly name: string;
  readonly segments: readonly SegmentName[];
}

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");

/** One letter a segment, for the cells of the matrix. */
const LETTERS: Readonly<Partial<Record<SegmentName, string>>> = {
  edge: "e",
  apps: "a",
  data: "d",
  broker: "b",
  observability: "o",
};

/** The page docs/segments.md. */
export function segmentsPage(members: readonly Member[]): string {
  const order = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  const cell = (from: Member, to: Member) =>
    from === to
      ? "·"
      : sharedSegments(from.segments, to.segments)
          .map((segment) => LETTERS[segment] ?? "")
          .join("");
  return `# Segments

This page is made from the program (\`tools/docs/segments.ts\`); a test keeps it true, and another (\`test/e2e/segments.test.ts\`) tries every way that is or is not here from inside each container's network.

${table(
  ["segment", "for", "leads out", "letter"],
  segmentNames.map((name) => [
    name,
    segmentTable[name].purpose,
    isOpen(name) ? "yes" : "no",
    LETTERS[name] ?? "its members do not reach each other",
  ]),
)}

## Who joins which, and listens where

Ports are TCP; Caddy's 8443 is UDP too. Alertmanager has a way out only where Slack or PagerDuty is set up, IB Gateway only as the real one (the stand-in listens on 4001 and 4002).

${table(
  ["workload", "ports", "segments"],
  order.map(({ name, segments }) => [name, portsOf(name, false).join(", ") || "none", segments.join(", ") || "none"]),
)}

## Who reaches whom

A row reaches the ports of a column through the segments in the cell, and nothing where the cell is empty. \`way out\` is the internet. From outside, Caddy's ports are all there is.

${table(
  ["from \\ to", ...order.map(({ name }) => name), "way out"],
  order.map((from) => [
    `**${from.name}**`,
    ...order.map((to) => cell(from, to)),
    from.segments.some(isOpen) ? "yes" : "",
  ]),
)}
`;
}
