import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { apt } from "../../../tools/lib/apt.ts";

const { PATH } = process.env;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autollm-apt-"));
  process.env.PATH = `${folder}:${PATH}`;
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true, force: true });
});

/** An apt-get that notes how it was called, and says this until it was called so often. */
function aptGet(said: string, times: number): () => readonly string[] {
  const calls = join(folder, "calls");
  const file = join(folder, "apt-get");
  const script = `#!/bin/sh\necho "$@" >> ${calls}\n[ "$(wc -l < ${calls})" -gt ${times} ] || { echo "${said}" >&2; exit 100; }\n`;
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  return () => readFileSync(calls, "utf8").trim().split("\n");
}

test("waits while another package manager holds a lock", async () => {
  const calls = aptGet("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)", 2);
  await apt(["update"], 1);
  expect(calls()).toHaveLength(3);
  expect(calls()[0]).toBe("-o DPkg::Lock::Timeout=600 update");
});

test("says at once what else is wrong", async () => {
  const calls = aptGet("E: Unable to locate package docker.io", 9);
  await expect(apt(["install", "docker.io"], 1)).rejects.toThrow(/Unable to locate package docker\.io/);
  expect(calls()).toHaveLength(1);
});
