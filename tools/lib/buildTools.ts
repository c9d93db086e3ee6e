import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./cache.ts";
import { withLock } from "./lock.ts";
import { step, UserError } from "./log.ts";
import { run, which } from "./run.ts";

/** Checkers, and what tests need, that no npm package brings: pinned here, built or installed once into the cache, where PATH has no say. */
const goTools = {
  act: { module: "github.com/nektos/act", version: "v0.2.89" },
  actionlint: { module: "github.com/rhysd/actionlint/cmd/actionlint", version: "v1.7.12" },
  "age-keygen": { module: "filippo.io/age/cmd/age-keygen", version: "v1.3.2" },
  buildx: { module: "github.com/docker/buildx/cmd/buildx", version: "v0.38.2" },
  gitleaks: { module: "github.com/zricethezav/gitleaks/v8", version: "v8.30.1" },
  sops: { module: "github.com/getsops/sops/v3/cmd/sops", version: "v3.13.3" },
} as const;

const ZIZMOR_VERSION = "1.32.0";

/** The path of a Go program in its pinned version; Go's checksum database vouches for the sources. */
export function goTool(name: keyof typeof goTools): Promise<string> {
  const { module, version } = goTools[name];
  const folder = join(cacheDir("tools"), `${name}-${version}`);
  return install(name, version, join(folder, name), async () => {
    if ((await which("go")) === undefined)
      throw new UserError(`${name} ${version} is built with Go: install Go 1.24 or newer`);
    await run("go", ["install", `${module}@${version}`], { env: { GOBIN: folder, GOFLAGS: "" } });
  });
}

/** The path of zizmor, in a Python environment of its own. */
export function zizmor(): Promise<string> {
  const folder = join(cacheDir("tools"), `zizmor-${ZIZMOR_VERSION}`);
  return install("zizmor", ZIZMOR_VERSION, join(folder, "bin", "zizmor"), async () => {
    if ((await which("python3")) === undefined) throw new UserError("zizmor is installed with pip: install Python 3");
    await run("python3", ["-m", "venv", folder]);
    await run(join(folder, "bin", "pip"), [
      "install",
      "--quiet",
      "--only-binary",
      ":all:",
      `zizmor==${ZIZMOR_VERSION}`,
    ]);
  });
}

function install(name: string, version: string, program: string, work: () => Promise<void>): Promise<string> {
  return withLock(`tool-${name}`, async () => {
    if (existsSync(program)) return program;
    const folder = join(cacheDir("tools"), `${name}-${version}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    try {
      await step(`installing ${name} ${version} into the cache`, "up to two minutes, once", work);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    return program;
  });
}
