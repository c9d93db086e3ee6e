import { entries, type Group, groups } from "../commands.ts";
import { EXIT_CODES } from "../lib/exitCodes.ts";
import { rows } from "../lib/text.ts";

const groupNames = Object.keys(groups) as Group[];
const members = (group: Group) => entries.filter(([, entry]) => entry.group === group);

/** Most of a line. */
const WIDTH = 80;

/** The help of `./autollm`: every command by its group. */
export function overview(): string {
  // One column for all groups.
  const lines = rows(
    entries.map(([name, { summary }]) => [name, summary]),
    WIDTH,
  ).split(/\n(?= {2}\S)/);
  const lineOf = new Map(entries.map(([name], index) => [name, lines[index] ?? ""]));
  const sections = groupNames.map((group) =>
    [`${group}: ${groups[group]}`, ...members(group).map(([name]) => lineOf.get(name))].join("\n"),
  );
  const codes = Object.entries(EXIT_CODES).map(([code, says]) => [code, says] as const);
  return [
    "usage: ./autollm COMMAND [--help]",
    ...sections,
    `exit codes:\n${rows(codes, WIDTH)}`,
    'Most commands take --stack NAME; without it they are about the stack "local".',
  ].join("\n\n");
}

/** The table of README.md: all groups but that of the repository's own. */
export function commandsTable(): string {
  const row = ([name, { summary, page }]: (typeof entries)[number]) =>
    `| \`./autollm ${name}\` | ${summary}${page === undefined ? "" : ` ([${page.split("#")[0]}](${page}))`} |`;
  const head = ["| command | what it does |", "|---|---|"];
  const sections = groupNames
    .filter((group) => group !== "repository")
    .flatMap((group) => [`| **${group}** | ${groups[group]} |`, ...members(group).map(row)]);
  return [...head, ...sections].join("\n");
}
