import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { settingsOf } from "../../../tools/lib/stackSettings.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "autollm-settings-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

/** A workspace whose engine answers one setting; `asked` counts how often. */
function workspace(): Workspace & { asked: number } {
  const made = {
    stack: "local",
    cwd,
    asked: 0,
    pulumi: async () => {
      made.asked += 1;
      const config = { "autollm:logLevel": { value: "debug", secret: false } };
      return { code: 0, stdout: JSON.stringify(config), stderr: "" };
    },
  };
  return made as unknown as Workspace & { asked: number };
}
const write = (text: string) => writeFileSync(join(cwd, "Pulumi.local.yaml"), text);

it("reads a stack's file without the engine: texts, numbers, switches, objects", async () => {
  write(
    `config:\n  autollm:httpsPort: 9443\n  autollm:vncServer: "true"\n  autollm:symbols: [SPY]\n  other:key: x\n  autollm:generation:\n    redis: 2\n`,
  );
  const own = workspace();
  expect(await settingsOf(own)).toMatchObject({
    httpsPort: 9443,
    vncServer: true,
    symbols: ["SPY"],
    generation: { redis: 2 },
  });
  expect(own.asked).toBe(0);
});

it("takes a secret for one, also inside an object, and does not read it", async () => {
  write(
    `config:\n  autollm:openai:\n    secure: v1:abc\n  autollm:trading:\n    live: false\n    liveConfirm:\n      secure: v1:abc\n`,
  );
  expect(JSON.stringify(await settingsOf(workspace()))).not.toContain("v1:abc");
});

it("asks the engine for a stack without a file, and for one that imports an environment", async () => {
  const own = workspace();
  expect(await settingsOf(own)).toMatchObject({ logLevel: "debug" });
  write("environment: [shared]\nconfig:\n  autollm:logLevel: info\n");
  expect(await settingsOf(own)).toMatchObject({ logLevel: "debug" });
  expect(own.asked).toBe(2);
});

it("names the file that a merge left with two versions", async () => {
  write(`config:\n<<<<<<< HEAD\n  autollm:logLevel: info\n=======\n  autollm:logLevel: debug\n>>>>>>> main\n`);
  await expect(settingsOf(workspace())).rejects.toThrow(/Pulumi\.local\.yaml/);
});
