import { Graphviz } from "@hpcc-js/wasm-graphviz";
import { calls, groups } from "./architecture.ts";

const FONT = 'fontname="Helvetica"';
/** The fill of each group's box. */
const fills: Readonly<Record<string, string>> = {
  Services: "#e8f0fe",
  Data: "#fef3e0",
  Broker: "#fde8e8",
  Watching: "#e8f5e9",
};

/** Who calls whom, in Graphviz's language. The members of a group have one colour, and those around the services one box. */
export function callGraph(): string {
  const boxes = groups.flatMap(([group, members], index) => {
    const nodes = members.map((name) => `    "${name}" [fillcolor="${fills[group] ?? "white"}"];`);
    return [
      `  subgraph cluster_${index} {`,
      `    label="${group}"; color="#9aa0a6"; style="rounded"; ${FONT};`,
      ...nodes,
      "  }",
    ];
  });
  const arrows = calls().map(
    ({ from, to, by }) => `  "${from}" -> "${to}"${by === undefined ? "" : ` [label="${by}"]`};`,
  );
  return [
    "digraph platform {",
    `  rankdir=LR; bgcolor="white"; nodesep=0.15; ranksep=0.7; ${FONT};`,
    `  node [shape=box, style="rounded,filled", fillcolor="#f1f3f4", color="#5f6368", ${FONT}, fontsize=11, height=0.3];`,
    `  edge [color="#9aa0a6", arrowsize=0.6, ${FONT}, fontsize=9, fontcolor="#5f6368"];`,
    '  "clients" -> "caddy" [label="443, 80"];',
    ...boxes,
    ...arrows,
    "}",
    "",
  ].join("\n");
}

/** The picture docs/architecture.svg. */
export async function architecturePicture(): Promise<string> {
  const graphviz = await Graphviz.load();
  const drawn = graphviz.dot(callGraph(), "svg");
  // Without the document type, which no browser needs.
  return drawn.slice(drawn.indexOf("<svg"));
}
