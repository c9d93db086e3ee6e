import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { ensureEngine } from "../../bootstrap/engine/engine.ts";
import { step } from "../../lib/log.ts";
import { type RunResult, run } from "../../lib/run.ts";
import { root } from "../../lib/workspace.ts";
import { seconds } from "../measure.ts";
import { Compose } from "./compose.ts";

/** Seconds that each step took with so many workloads. */
export interface GrowthResult {
  readonly services: number;
  readonly first: number;
  readonly preview: number;
  readonly unchanged: number;
  readonly one: number;
  /** The same containers by `docker compose`, where it is there. */
  readonly compose?: { readonly first: number; readonly unchanged: number };
}

const STACK = "growth";

/** A Pulumi project of its own, with its state in a folder that is thrown away. */
async function project(home: string, image: string): Promise<(...args: readonly string[]) => Promise<RunResult>> {
  const engine = await ensureEngine();
  mkdirSync(join(home, "state"));
  symlinkSync(root, join(home, "program"));
  const options = { typescript: false };
  const main = "program/tools/bench/growth/program.ts";
  const backend = { url: `file://${join(home, "state")}` };
  const yaml = { name: "growth", main, runtime: { name: "nodejs", options }, backend };
  writeFileSync(join(home, "Pulumi.yaml"), stringify(yaml));
  const passphrase = join(home, "passphrase");
  writeFileSync(passphrase, crypto.randomUUID(), { mode: 0o600 });
  const env = { ...engine.env, PULUMI_CONFIG_PASSPHRASE_FILE: passphrase };
  const pulumi = (...args: readonly string[]) => run(engine.pulumi, args, { cwd: home, env });
  await pulumi("stack", "init", STACK);
  const dockerHost = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";
  for (const [key, value] of Object.entries({ dockerHost, image, filesDir: join(home, "files") }))
    await pulumi("config", "set", `growth:${key}`, value, "--stack", STACK);
  return pulumi;
}

/** Makes a number of workloads by the stack's own component, then the same containers by compose, and removes both. */
export async function measureGrowth(services: number, image: string): Promise<GrowthResult> {
  const home = mkdtempSync(join(tmpdir(), "autollm-growth-"));
  const pulumi = await project(home, image);
  const set = (count: number) => pulumi("config", "set", "growth:services", String(count), "--stack", STACK);
  const up = () => pulumi("up", "--yes", "--stack", STACK, "--suppress-outputs");
  try {
    return await step(`${services} workloads`, "minutes", async () => {
      await set(services - 1);
      const first = await seconds(up);
      const preview = await seconds(() => pulumi("preview", "--stack", STACK, "--expect-no-changes"));
      const unchanged = await seconds(up);
      await set(services);
      const one = await seconds(up);
      await pulumi("destroy", "--yes", "--stack", STACK);
      const compose = await Compose.find();
      const measured = await compose?.measure(services, image, home);
      return { services, first, preview, unchanged, one, ...(measured === undefined ? {} : { compose: measured }) };
    });
  } finally {
    await pulumi("destroy", "--yes", "--stack", STACK).catch(() => undefined);
    rmSync(home, { recursive: true, force: true });
  }
}
