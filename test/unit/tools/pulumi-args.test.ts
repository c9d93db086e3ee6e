import { expect, test } from "vitest";
import { fromHere, stackOf } from "../../../tools/lib/pulumiArgs.ts";

test.each<[string, string, readonly string[]]>([
  ["config set --secret openai", "local", ["--stack", "local"]],
  ["stack output url", "local", ["--stack", "local"]],
  ["stack init staging", "staging", []],
  ["stack rm staging --yes", "staging", []],
  ["stack rm --yes", "local", ["--stack", "local"]],
  ["config --stack staging", "staging", []],
  ["preview -s production", "production", []],
  ["config --stack=staging", "staging", []],
  ["preview -s=production", "production", []],
  ["login file:///srv/state", "staging", []],
  ["whoami --verbose", "staging", []],
  ["version", "local", []],
  ["", "local", []],
])("./autollm pulumi %s is about the stack %s", (line, stack, added) => {
  expect(stackOf(line === "" ? [] : line.split(" "))).toEqual({ stack, added });
});

test("a file is the one in the user's folder", () => {
  expect(fromHere(["stack", "import", "--file", "state.json"], "/home/me")).toEqual([
    ...["stack", "import", "--file", "/home/me/state.json"],
  ]);
  expect(fromHere(["preview", "--save-plan=plan.json"], "/home/me")).toEqual([
    "preview",
    "--save-plan=/home/me/plan.json",
  ]);
  const policies = ["preview", "--policy-pack", "policies", "--policy-pack-config=a=b.json"];
  expect(fromHere(policies, "/home/me")).toEqual([
    ...["preview", "--policy-pack", "/home/me/policies", "--policy-pack-config=/home/me/a=b.json"],
  ]);
});
