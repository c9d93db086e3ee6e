import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { allSteps, readLog, standIns } from "../../e2e/lib/workflowSteps.ts";

interface Action {
  readonly inputs?: Readonly<Record<string, { readonly required?: boolean }>>;
  readonly runs: { readonly steps: readonly { readonly run: string }[] };
}
const actionOf = (folder: string) => parse(readFileSync(join(folder, "action.yml"), "utf8")) as Action;
const uses = allSteps().flatMap(({ where, steps }) =>
  steps.flatMap((step) => (step.uses === undefined ? [] : [{ where, uses: step.uses, inputs: step.with ?? {} }])),
);

describe("the stand-ins of actions, with which test/e2e/workflows.test.ts runs the workflows", () => {
  it("are there for each action that a workflow uses", () => {
    expect(standIns().size).toBeGreaterThan(7);
    const missing = [...standIns()].filter(([, folder]) => !existsSync(join(folder, "action.yml")));
    expect(missing).toEqual([]);
  });

  it("take the inputs that the workflows give, and are given those that they need", () => {
    for (const { where, uses: action, inputs } of uses) {
      const folder = action.startsWith("./") ? join(root, action) : (standIns().get(action) ?? "");
      const known = actionOf(folder).inputs ?? {};
      const required = Object.keys(known).filter((name) => known[name]?.required === true);
      expect(Object.keys(known), `${where}: ${action}`).toEqual(expect.arrayContaining(Object.keys(inputs)));
      expect(Object.keys(inputs), `${where}: ${action}`).toEqual(expect.arrayContaining(required));
    }
  });

  it("are scripts that the shell can read", async () => {
    for (const folder of standIns().values())
      for (const { run: script } of actionOf(folder).runs.steps) {
        const { code, stderr } = await run("bash", ["-n"], { input: script, allowFailure: true });
        expect(code, `${folder}\n${stderr}`).toBe(0);
      }
  });
});

describe("act's log", () => {
  const line = (fields: object) =>
    JSON.stringify({ job: "ci/test", jobID: "test", matrix: {}, stage: "Main", msg: "", ...fields });

  it("tells each step's place, result and output, those of our own action included", () => {
    const text = [
      line({ stepID: ["0"], stage: "Pre", stepResult: "success" }),
      line({ stepID: ["0"], stepResult: "success" }),
      line({ stepID: ["1", "1"], msg: "added 3 packages\n", raw_output: true }),
      line({ stepID: ["1", "1"], stepResult: "success" }),
      line({ stepID: ["1"], stepResult: "success" }),
      line({ stepID: ["2"], msg: "one\n", raw_output: true }),
      line({ stepID: ["2"], msg: "two\n", raw_output: true }),
      line({ stepID: ["2"], stepResult: "failure" }),
      line({ stepID: ["3"], stepResult: "skipped" }),
      "no JSON",
    ].join("\n");
    const { steps, log } = readLog(text, "ci");
    expect(steps).toEqual([
      { where: "ci/test", index: 0, matrix: {}, ok: true, output: "" },
      { where: "./.github/actions/setup", index: 1, matrix: {}, ok: true, output: "added 3 packages\n" },
      { where: "ci/test", index: 1, matrix: {}, ok: true, output: "" },
      { where: "ci/test", index: 2, matrix: {}, ok: false, output: "one\ntwo\n" },
    ]);
    expect(log).toContain("[ci/test] | two");
    expect(log).toContain("[act] no JSON");
  });
});
