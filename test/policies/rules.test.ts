import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it } from "vitest";
import type { StackSubject, Subject } from "../../policies/lib/rule.ts";
import { rules } from "../../policies/rules/index.ts";
import { cases } from "./cases/index.ts";
import type { Cases } from "./cases/types.ts";
import { container, stackVerdict, verdict, verdicts } from "./fixtures.ts";

async function said(rule: string, subject: Cases[string]): Promise<readonly string[]> {
  return Array.isArray(subject)
    ? stackVerdict(rule, subject as readonly StackSubject[])
    : verdict(rule, subject as Subject);
}

it("every rule has cases that it lets through and cases that it refuses", () => {
  expect(Object.keys(cases).sort()).toEqual(rules.map(({ name }) => name).sort());
});

afterEach(() => pulumi.runtime.setAllConfig({}));

describe.each(Object.entries(cases))("%s", (rule, { pass, fail, config }) => {
  it.each(Object.entries(pass))("lets through: %s", async (_, subject) => {
    pulumi.runtime.setAllConfig(config?.pass ?? {});
    expect(await said(rule, subject)).toEqual([]);
  });

  it.each(Object.entries(fail))("refuses: %s", async (_, subject) => {
    pulumi.runtime.setAllConfig(config?.fail ?? {});
    const messages = await said(rule, subject);
    expect(messages).not.toEqual([]);
    // One sentence: resource, key, what is wrong, how to fix it.
    for (const message of messages) expect(message).toMatch(/^[\w-]+ "[\w-]+": \S.*; \S.*\.$/);
  });
});

describe("a rule", () => {
  it.each(rules.map((rule) => [rule.name, rule] as const))(
    "%s says what it wants, why, and how to fix it",
    (name, rule) => {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
      expect(rule.why).toMatch(/\.$/);
      expect(rule.title).not.toMatch(/\.$/);
      expect(rule.fix).not.toMatch(/\.$/);
    },
  );

  it("has a name of its own", () => {
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  });
});

it("no rule finds fault with a container as Workload makes it", async () => {
  expect(await verdicts(container())).toEqual([]);
});
