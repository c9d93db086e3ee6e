import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ruleTable, waiverTable } from "../../policies/lib/readme.ts";
import { ruleGroups, rules } from "../../policies/rules/index.ts";
import { waivers } from "../../policies/waivers.ts";

/** The formatter pads a table's cells. */
const unpadded = (markdown: string) => markdown.replace(/ +/g, " ").replace(/-{3,}/g, "---");

const readme = unpadded(readFileSync(new URL("../../policies/README.md", import.meta.url), "utf8"));

it("README.md shows the rules as they are", () => {
  expect(readme).toContain(unpadded(ruleTable()));
});

it("README.md shows the waivers as they are", () => {
  expect(readme).toContain(unpadded(waiverTable()));
});

it("a rule is in one group", () => {
  expect(new Set(rules).size).toBe(Object.values(ruleGroups).flat().length);
});

it.each(waivers.map((waiver) => [`${waiver.rule} ${waiver.service} ${waiver.value}`, waiver] as const))(
  "the waiver %s is of a rule that exists, and has a reason",
  (_, { rule, reason }) => {
    expect(rules.map(({ name }) => name)).toContain(rule);
    expect(reason.length).toBeGreaterThan(20);
  },
);
