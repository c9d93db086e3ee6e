import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { ensureEngine } from "../../tools/bootstrap/engine/engine.ts";
import { run } from "../../tools/lib/run.ts";
import { ownImages } from "../../tools/lib/stackFile.ts";
import { root } from "../../tools/lib/workspace.ts";
import { proofs } from "./lib/documented.ts";
import { freePort } from "./lib/stack.ts";

/** The commands that are run here, with where. */
const commands = Object.entries(proofs).flatMap(([documented, proof]) => {
  if (typeof proof !== "object") return [{ documented, script: proof === true ? documented : proof, staging: false }];
  if (!("staging" in proof)) return [];
  return [{ documented, script: proof.staging === true ? documented : proof.staging, staging: true }];
});

/** Follows the pages word by word, in a clone of what is committed. */
describe("a documented command works:", () => {
  const home = mkdtempSync(join(tmpdir(), "autollm-docs-"));
  const clone = join(home, "clone");
  const state = join(home, "state");
  const env: Record<string, string> = { CI: "true", PULUMI_COLOR: "never", NO_COLOR: "1", STATE: state };
  let stagingEnv: Readonly<Record<string, string>>;

  beforeAll(async () => {
    await run("git", ["clone", "--quiet", root, clone]);
    await run("mkdir", [state]);
    env.HTTP = String(await freePort());
    env.HTTPS = String(await freePort());
    const { env: engine } = await ensureEngine();
    const passphrase = randomBytes(16).toString("hex");
    stagingEnv = { ...engine, PULUMI_BACKEND_URL: `file://${state}`, PULUMI_CONFIG_PASSPHRASE: passphrase };
    const image = (name: string) => `registry.example/${name}@sha256:${randomBytes(32).toString("hex")}`;
    const images = Object.fromEntries([...serviceNames, ...ownImages].map((name) => [name, image(name)]));
    writeFileSync(join(clone, "images.json"), JSON.stringify(images));
  });
  afterAll(async () => {
    await run("./autollm", ["down"], { cwd: clone, env, allowFailure: true });
    rmSync(home, { recursive: true, force: true });
  });

  test.each(commands)("$documented", async ({ script, staging }) => {
    if (script.includes("$CONTAINER")) {
      const output = ["pulumi", "stack", "output", "containers", "--json"];
      const containers = JSON.parse((await run("./autollm", output, { cwd: clone, env })).stdout) as Record<
        string,
        string
      >;
      env.CONTAINER = containers.reporter ?? "";
    }
    const options = { cwd: clone, env: { ...env, ...(staging ? stagingEnv : {}) }, allowFailure: true };
    const { code, stdout, stderr } = await run("bash", ["-euo", "pipefail", "-c", script], options);
    expect(code, `${script}\n${stdout}${stderr}`).toBe(0);
  });
});
