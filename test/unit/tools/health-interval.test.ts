import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { prepareHealthChecks } from "../../../tools/lib/prepare.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

describe("the interval of health checks", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    vi.stubEnv("PATH", `${home}${delimiter}${process.env.PATH}`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  /** What is set in a stack's config, with a daemon of this API. */
  async function set(api: string, config: string): Promise<string[]> {
    writeFileSync(join(home, "docker"), `#!/bin/sh\necho ${api}\n`);
    chmodSync(join(home, "docker"), 0o755);
    writeFileSync(join(home, "Pulumi.mine.yaml"), config);
    const found: string[] = [];
    const pulumi = async (args: readonly string[]) => {
      found.push(...args.filter((arg) => arg.startsWith("autollm:")));
      return { code: 0, stdout: "", stderr: "" };
    };
    await prepareHealthChecks({ stack: "mine", cwd: home, local: true, pulumi } as unknown as Workspace);
    return found;
  }

  const local = "config:\n  autollm:environment: local\n";

  it("is short where Docker checks no sooner while a container starts, as 20.10 and 24 do", async () => {
    for (const api of ["1.41", "1.43"]) expect(await set(api, local)).toEqual(["autollm:healthInterval=5"]);
  });

  it("is left to the program with Docker 25 and later", async () => {
    for (const api of ["1.44", "1.45", "1.52"]) expect(await set(api, local)).toEqual([]);
  });

  it("stays what the config says, and a config with faults is left to the program", async () => {
    expect(await set("1.41", `${local}  autollm:healthInterval: 20\n`)).toEqual([]);
    expect(await set("1.41", `${local}  autollm:nothing: 1\n`)).toEqual([]);
  });
});
