import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KILL_SWITCH_FILE, killSwitchDirectory } from "../../../components/platform/killSwitch.ts";
import { createScript } from "../../../components/platform/killSwitchMount.ts";

let base: string;
beforeEach(() => {
  base = join(mkdtempSync(join(tmpdir(), "autollm-test-")), "files");
});
afterEach(() => rmSync(join(base, ".."), { recursive: true }));

const create = (live: boolean) => {
  const { status, stderr } = spawnSync("sh", ["-c", createScript(base, live)], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
};
const switchFile = () => join(killSwitchDirectory(base), KILL_SWITCH_FILE);

describe("the kill switch of a new stack", () => {
  it("is off on paper", () => {
    create(false);
    expect(existsSync(killSwitchDirectory(base))).toBe(true);
    expect(existsSync(switchFile())).toBe(false);
  });

  it("is on with real money, and says since when and why", () => {
    create(true);
    const text = readFileSync(switchFile(), "utf8");
    expect(text).toMatch(/^platform_kill_switch_active 1$/m);
    const detail = JSON.parse(/^# (\{.*)$/m.exec(text)?.[1] ?? "") as { reason: string; at: string };
    expect(detail.reason).toContain("starts stopped");
    expect(Math.abs(Date.parse(detail.at) - Date.now())).toBeLessThan(60_000);
  });

  it("keeps what an operator said", () => {
    create(false);
    writeFileSync(switchFile(), "theirs");
    create(true);
    expect(readFileSync(switchFile(), "utf8")).toBe("theirs");
  });
});
