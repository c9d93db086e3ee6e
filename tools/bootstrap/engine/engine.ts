import { readFileSync } from "node:fs";
import { join } from "node:path";
import semver from "semver";
import { cacheDir } from "../../lib/cache.ts";
import { withLock } from "../../lib/lock.ts";
import { UserError } from "../../lib/log.ts";
import { run, which } from "../../lib/run.ts";
import { buildEngine, engineEnv, engineFolder, isReady } from "./install.ts";

/** A Pulumi engine that can be run. */
export interface Engine {
  /** Path of the CLI. */
  readonly pulumi: string;
  /** `official`: found on PATH. `built`: made here from Go modules. */
  readonly origin: "official" | "built";
  /** Environment to run it with, on top of this process's own. */
  readonly env: Readonly<Record<string, string>>;
}

export interface EngineOptions {
  /** Whether an engine may be built where there is none. Default: true. */
  readonly build?: boolean;
}

interface Manifest {
  readonly engines: { readonly pulumi: string };
}

/** The range of CLI versions that the project is known to work with, from package.json. */
export function supportedVersions(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as Manifest;
  return manifest.engines.pulumi;
}

/** The official CLI on PATH, if there is one; an unfit one is an error, since building another beside it would surprise. */
async function officialEngine(): Promise<Engine | undefined> {
  const pulumi = await which("pulumi");
  // A program that we started ourselves finds the built one on PATH.
  if (pulumi === undefined || pulumi.startsWith(cacheDir("engine"))) return undefined;
  const { code, stdout, stderr } = await run(pulumi, ["version"], {
    env: { PULUMI_SKIP_UPDATE_CHECK: "true" },
    allowFailure: true,
  });
  if (code !== 0) throw new UserError(`${pulumi} does not run (exit code ${code}): ${stderr.trim()}`);
  const version = semver.coerce(stdout.trim());
  const range = supportedVersions();
  if (version === null || !semver.satisfies(version, range)) {
    throw new UserError(
      `${pulumi} is version ${stdout.trim()}, and ${range} is needed: update it (https://www.pulumi.com/docs/install/)`,
    );
  }
  return { pulumi, origin: "official", env: {} };
}

/** The engine: the official one where it is on PATH, else one built from Go modules into the cache (minutes once, then a moment). */
export async function ensureEngine({ build = true }: EngineOptions = {}): Promise<Engine> {
  const official = await officialEngine();
  if (official !== undefined) return official;
  const folder = engineFolder();
  if (!isReady(folder)) {
    if (!build) {
      throw new UserError(
        "no pulumi is on PATH: install it (https://www.pulumi.com/docs/install/), or build it with: node tools/bootstrap/engine/main.ts",
      );
    }
    await withLock("engine", buildEngine);
  }
  return { pulumi: join(folder, "bin", "pulumi"), origin: "built", env: engineEnv(folder) };
}
