import { ruleGroups } from "../rules/index.ts";
import { waivers } from "../waivers.ts";
import type { Rule } from "./rule.ts";

const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

const ruleRow = ({ name, level, severity, title, why, fix }: Rule) =>
  row([`\`${name}\``, level, severity, `${title}.`, why, fix]);

/** The table of the rules, as README.md shows it. */
export function ruleTable(): string {
  const head = [row(["Policy", "Level", "Severity", "What", "Why", "Fix"]), row(Array(6).fill("---"))];
  return Object.entries(ruleGroups)
    .map(([group, rules]) => [`### ${group}`, "", ...head, ...rules.map(ruleRow)].join("\n"))
    .join("\n\n");
}

/** The table of the waivers, as README.md shows it. */
export function waiverTable(): string {
  const rows = waivers.map(({ rule, service, value, reason }) => row([`\`${rule}\``, service, `\`${value}\``, reason]));
  return [row(["Policy", "Workload", "Allowed", "Reason"]), row(Array(4).fill("---")), ...rows].join("\n");
}
