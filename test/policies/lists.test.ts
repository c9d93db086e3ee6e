import { expect, it } from "vitest";
import { ruleGroups, rules } from "../../policies/rules/index.ts";
import { waivers } from "../../policies/waivers.ts";

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
