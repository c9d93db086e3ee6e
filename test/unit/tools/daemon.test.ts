import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Daemon } from "../../../tools/lib/daemon.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";
import { randomText } from "../lib/values.ts";

const folder = mkdtempSync(join(tmpdir(), "autollm-daemon-"));

/** Puts a program of ours before the machine's. */
function program(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
}

beforeAll(() => {
  // It runs its last word in a shell, as sshd does.
  program("ssh", `echo "$@" >>${folder}/logins; for word; do :; done; exec sh -c "$word"`);
  program(
    "docker",
    `if [ "$1" = fail ]; then echo broken >&2; exit 3; fi; if [ "$1" = take ]; then cat >"$2"; else printf '%s|' "$@"; fi`,
  );
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const host = { address: "192.0.2.7", hostKey: `ssh-ed25519 ${randomText(68)}` };
async function daemon(config: Readonly<Record<string, unknown>>): Promise<Daemon> {
  const entries = Object.entries(config).map(([key, objectValue]) => [
    `autollm:${key}`,
    { objectValue, secret: false },
  ]);
  const pulumi = async () => ({ code: 0, stdout: JSON.stringify(Object.fromEntries(entries)), stderr: "" });
  return Daemon.of({ stack: "test", cwd: folder, pulumi } as unknown as Workspace);
}

describe("the Docker daemon of a stack", () => {
  const words = ["exec", "a b", "it's", '$HOME "x"', "line\nbreak"];

  it("is this machine's where the config names no host", async () => {
    expect(await (await daemon({})).ask(...words)).toBe(`--host|unix:///var/run/docker.sock|${words.join("|")}|`);
  });

  it("is the host's over SSH, and every word arrives there as it was", async () => {
    expect(await (await daemon({ host })).ask(...words)).toBe(`${words.join("|")}|`);
    expect(readFileSync(join(folder, "logins"), "utf8")).toContain("StrictHostKeyChecking=yes");
    expect(readFileSync(join(folder, "logins"), "utf8")).toContain("@192.0.2.7");
  });

  it("takes what another says, from host to host", async () => {
    const remote = await daemon({ host });
    await remote.pipe(["say", "the dump"], remote, ["take", join(folder, "taken")]);
    expect(readFileSync(join(folder, "taken"), "utf8")).toBe("say|the dump|");
  });

  it.each<[string, readonly string[], readonly string[]]>([
    ["gives", ["fail"], ["take", "/dev/null"]],
    ["takes", ["say"], ["fail"]],
  ])("tells the words of the one who %s and fails", async (_, from, to) => {
    const remote = await daemon({ host });
    await expect(remote.pipe(from, remote, to)).rejects.toThrow("broken");
  });
});
