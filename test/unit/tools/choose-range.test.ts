import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { overlap, rangeFault } from "../../../components/networkRange.ts";
import { ensureNetworkRange } from "../../../tools/lib/networkRange.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

describe("a local stack's range of addresses", () => {
  let home: string;
  let set: string[];
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    set = [];
    vi.stubEnv("PATH", `${home}${delimiter}${process.env.PATH}`);
    program("ip", "echo '[]'");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  function program(name: string, body: string): void {
    writeFileSync(join(home, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(home, name), 0o755);
  }

  /** What the daemon's networks use, and the machine's routes. */
  function inUse(subnets: readonly string[], routes: readonly string[] = []): void {
    program("docker", `case "$2" in ls) echo one ;; inspect) echo '${subnets.join(" ")}' ;; esac`);
    program("ip", `echo '${JSON.stringify(routes.map((dst) => ({ dst })))}'`);
  }

  async function chosen(stack: string, config: string): Promise<string | undefined> {
    writeFileSync(join(home, `Pulumi.${stack}.yaml`), config);
    const pulumi = async (args: readonly string[]) => {
      set.push(...args.filter((arg) => arg.startsWith("autollm:networkRange=")));
      return { code: 0, stdout: "", stderr: "" };
    };
    await ensureNetworkRange({ stack, cwd: home, local: true, pulumi } as unknown as Workspace);
    return set.at(-1)?.split("=")[1];
  }

  it("is chosen once, and kept", async () => {
    inUse([]);
    expect(rangeFault((await chosen("mine", "config:\n  autollm:environment: local\n")) ?? "")).toBeUndefined();
    set = [];
    await chosen("mine", "config:\n  autollm:networkRange: 10.1.0.0/20\n");
    expect(set).toEqual([]);
  });

  it("meets no network of Docker's and no route: the one that it would have been, is left to them", async () => {
    inUse([]);
    const first = await chosen("mine", "config: {}\n");
    inUse(["172.17.0.0/16", `${first?.split("/")[0]}/24`], ["default"]);
    const second = (await chosen("mine", "config: {}\n")) ?? "";
    expect(overlap(second, first ?? "")).toBe(false);
    inUse([first ?? ""], ["default", second]);
    const third = (await chosen("mine", "config: {}\n")) ?? "";
    expect(rangeFault(third)).toBeUndefined();
    expect([first, second].filter((each) => overlap(third, each ?? ""))).toEqual([]);
  });

  it("differs from another stack's, though both choose before either has a network", async () => {
    inUse([]);
    expect(await chosen("mine", "config: {}\n")).not.toBe(await chosen("yours", "config: {}\n"));
  });

  it("is asked for where none is free", async () => {
    inUse(["10.0.0.0/8"]);
    await expect(chosen("mine", "config: {}\n")).rejects.toThrow(/config set networkRange/);
  });

  it("is chosen without Docker and without `ip`, too", async () => {
    program("docker", "exit 1");
    program("ip", "exit 1");
    expect(await chosen("mine", "config: {}\n")).toMatch(/^10\./);
  });
});
