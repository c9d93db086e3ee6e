import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readHalf, wholeOf } from "../../../tools/lib/halfWritten.ts";
import { deploymentOf, stateFile } from "../../../tools/lib/state.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

describe("the state of a stack on this machine", () => {
  let cwd: string;
  let exports: number;
  const workspace = () =>
    ({
      stack: "x",
      cwd,
      local: true,
      pulumi: async () => {
        exports += 1;
        return {
          code: 0,
          stdout: JSON.stringify({ version: 3, deployment: { manifest: { time: "exported" } } }),
          stderr: "",
        };
      },
    }) as unknown as Workspace;
  const write = (text: string) => writeFileSync(stateFile({ cwd, stack: "x" }), text);
  const time = async () => (await deploymentOf(workspace())).manifest?.time;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "autollm-test-"));
    exports = 0;
    mkdirSync(dirname(stateFile({ cwd, stack: "x" })), { recursive: true });
  });
  afterEach(() => rmSync(cwd, { recursive: true }));

  it("is read without the engine", async () => {
    write(JSON.stringify({ version: 3, checkpoint: { latest: { manifest: { time: "first" } } } }));
    expect(await time()).toBe("first");
    expect(exports).toBe(0);
  });

  it("of a stack that was never updated is empty", async () => {
    write(JSON.stringify({ version: 3, checkpoint: { stack: "organization/autollm/x" } }));
    expect(await time()).toBeUndefined();
    expect(exports).toBe(0);
  });

  it("in a form that is not known is asked of the engine", async () => {
    write(JSON.stringify({ version: 4, features: [] }));
    expect(await time()).toBe("exported");
  });

  it("that is being written is read again", async () => {
    write('{"version":3,"checkp');
    const reading = time();
    write(JSON.stringify({ version: 3, checkpoint: { latest: { manifest: { time: "second" } } } }));
    expect(await reading).toBe("second");
  });
});

it.each([
  ["error: EOF", true],
  ["error: getting snapshot: unexpected EOF", true],
  ["error: could not read it: unexpected end of JSON input", true],
  ["error: no stack named 'staging' found", false],
  ["error: EOF is no stack", false],
])("%s", (stderr, half) => {
  expect(readHalf({ code: 1, stdout: "", stderr: `${stderr}\n` })).toBe(half);
  expect(readHalf({ code: 0, stdout: "", stderr: `${stderr}\n` })).toBe(false);
});

it("reads again until an answer is whole", async () => {
  const answers = ["half", "half", "whole", "never"];
  expect(
    await wholeOf(
      () => answers.shift(),
      (answer) => answer === "half",
    ),
  ).toBe("whole");
});
