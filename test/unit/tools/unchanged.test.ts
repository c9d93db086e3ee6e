import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunOptions } from "../../../tools/lib/run.ts";
import { stateFile } from "../../../tools/lib/state.ts";
import { changesNothing } from "../../../tools/lib/unchanged.ts";
import { update } from "../../../tools/lib/update.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

vi.mock("../../../tools/lib/preflight.ts", () => ({ checkBefore: async () => undefined }));
const held = vi.hoisted(() => vi.fn(async () => undefined));
vi.mock("../../../tools/lib/platformSwitch.ts", () => ({ holdKillSwitch: held }));
vi.mock("../../../tools/lib/unhealthy.ts", () => ({ showUnhealthy: async () => undefined }));

const summary = (resourceChanges: object) => JSON.stringify({ sequence: 9, summaryEvent: { resourceChanges } });

describe("a preview's events", () => {
  it.each([
    ["all resources stay", [summary({ same: 345 })], true],
    ["a count of changes is zero", [summary({ same: 345, update: 0 })], true],
    ["one is updated", [summary({ same: 344, update: 1 })], false],
    ["one is read again", [summary({ same: 344, read: 1 })], false],
    ["all are created", [summary({ create: 345 })], false],
    ["there is no summary, as of a preview that failed", ['{"sequence":0,"preludeEvent":{}}'], false],
    ["there is none at all", [], false],
  ])("%s", (_, lines, nothing) => expect(changesNothing(`${lines.join("\n")}\n`)).toBe(nothing));
});

describe("an update that asks nobody", () => {
  let home: string;
  let calls: string[];
  let changes: object;
  let previewCode: number;
  let failure: Error | undefined;
  const written = (time: string) => JSON.stringify({ version: 3, checkpoint: { latest: { manifest: { time } } } });
  const config = (text: string) => writeFileSync(join(home, "Pulumi.x.yaml"), text);

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    vi.stubEnv("AUTOLLM_HOME", home);
    calls = [];
    changes = { same: 345 };
    previewCode = 0;
    failure = undefined;
    held.mockClear();
    // What the commands tell a person.
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    config("config:\n  autollm:networkRange: 10.1.0.0/20\n");
    mkdirSync(join(home, "state", ".pulumi", "stacks", "autollm"), { recursive: true });
    writeFileSync(stateFile({ cwd: home, stack: "x" }), written("first"));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  function workspace(): Workspace {
    const pulumi = async (args: readonly string[], _: RunOptions = {}) => {
      const [command = ""] = args;
      if (command === "config") return { code: 0, stdout: "{}", stderr: "" };
      calls.push([command, ...args.filter((arg) => arg === "--skip-preview" || arg === "--yes")].join(" "));
      if (command === "preview") writeFileSync(args[args.indexOf("--event-log") + 1] ?? "", `${summary(changes)}\n`);
      if (command === "up" && failure !== undefined) throw failure;
      if (command === "up") writeFileSync(stateFile({ cwd: home, stack: "x" }), written(`update ${calls.length}`));
      return { code: command === "preview" ? previewCode : 0, stdout: "", stderr: "" };
    };
    const engine = { pulumi: process.execPath, origin: "built", env: {} } as const;
    return { stack: "x", cwd: home, engine, local: true, pulumi };
  }

  const commands = async () => {
    calls = [];
    await update(workspace(), true).catch((error: Error) => calls.push(error.message.split(";")[0] ?? ""));
    return calls;
  };
  /** The last look by the engine was so long ago. */
  const ago = (hours: number) => {
    const then = Date.now() / 1000 - hours * 3600;
    utimesSync(join(home, "updated", "x"), then, then);
  };
  const both = ["preview", "up --skip-preview --yes"];

  it("asks the engine nothing while all that it follows from is what the last one followed from, but the kill switch", async () => {
    expect(await commands()).toEqual(both);
    held.mockClear();
    expect(await commands()).toEqual([]);
    expect(held).toHaveBeenCalledOnce();
  });

  it("is a preview after a day: what is due by time shows in no digest", async () => {
    await commands();
    ago(23.9);
    expect(await commands()).toEqual([]);
    ago(24.1);
    expect(await commands()).toEqual(["preview"]);
    expect(await commands()).toEqual([]);
    // A clock that was set back.
    ago(-1);
    expect(await commands()).toEqual(["preview"]);
  });

  it("is made where the preview shows a change", async () => {
    await commands();
    ago(25);
    changes = { same: 344, replace: 1 };
    expect(await commands()).toEqual(both);
  });

  it("is made after a change that no resource's step shows: of the config, or of another's update", async () => {
    await commands();
    config("config:\n  autollm:networkRange: 10.1.0.0/20\n  autollm:logLevel: debug\n");
    expect(await commands()).toEqual(both);
    expect(await commands()).toEqual([]);
    writeFileSync(stateFile({ cwd: home, stack: "x" }), written("another's"));
    expect(await commands()).toEqual(both);
  });

  it("is made after an edit of the state that keeps its time, such as one that takes away a protection", async () => {
    await commands();
    const file = stateFile({ cwd: home, stack: "x" });
    const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as { checkpoint: { latest: object } };
    const resources = [{ urn: "urn:pulumi:x::autollm::docker:index/volume:Volume::data", protect: false }];
    writeFileSync(file, JSON.stringify({ version: 3, checkpoint: { latest: { ...checkpoint.latest, resources } } }));
    expect(await commands()).toEqual(both);
  });

  it("is made after a change of the host's key", async () => {
    const key = join(home, "key");
    config(`config:
  autollm:networkRange: 10.1.0.0/20
  autollm:host:
    address: 203.0.113.7
    hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample
    privateKeyPath: ${key}
    admins:
      ops: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample]
`);
    writeFileSync(`${key}.pub`, "one");
    await commands();
    expect(await commands()).toEqual([]);
    writeFileSync(`${key}.pub`, "another");
    expect(await commands()).toEqual(both);
  });

  it("is a preview where the config takes values from elsewhere", async () => {
    config("environment:\n  - prod\nconfig:\n  autollm:networkRange: 10.1.0.0/20\n");
    await commands();
    expect(await commands()).toEqual(["preview"]);
  });

  it("is not made where the policies refuse the preview, and that is not taken for a look", async () => {
    await commands();
    ago(25);
    previewCode = 255;
    expect(await commands()).toEqual(["preview", "pulumi preview failed (exit code 255)"]);
    expect(await commands()).toEqual(["preview", "pulumi preview failed (exit code 255)"]);
  });

  it("asks the kill switch also after one that failed by a cause outside, and is made again after it", async () => {
    await commands();
    ago(25);
    held.mockClear();
    changes = { same: 344, update: 1 };
    failure = new Error("the state's backend is away");
    expect(await commands()).toEqual([...both, "the state's backend is away"]);
    expect(held).toHaveBeenCalledOnce();
    failure = undefined;
    changes = { same: 345 };
    expect(await commands()).toEqual(both);
  });
});
