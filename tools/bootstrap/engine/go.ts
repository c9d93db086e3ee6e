import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../lib/log.ts";
import { type RunResult, run, which } from "../../lib/run.ts";

/** The folder of the Go module that the engine is built from. */
export const goModule = fileURLToPath(new URL("go", import.meta.url));

/** Settings of the user's that would make another build are left out; where modules come from is the user's choice. */
const environment = { GOWORK: "off", GOFLAGS: "-buildvcs=false -mod=readonly" };

export function go(workspace: string, ...args: readonly string[]): Promise<RunResult> {
  return run("go", args, { cwd: workspace, env: environment });
}

/** The oldest Go that go.mod allows. */
export function wantedGo(): string {
  const version = /^go (\S+)$/m.exec(readFileSync(join(goModule, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error("go.mod names no version of Go");
  return version;
}

/** Says what to install where Go is missing or too old. */
export async function requireGo(): Promise<void> {
  const remedy = `install the Pulumi CLI (https://www.pulumi.com/docs/install/), or Go ${wantedGo()} or newer to build it (https://go.dev/dl/)`;
  if ((await which("go")) === undefined) throw new UserError(`neither pulumi nor go is on PATH: ${remedy}`);
  // An older Go fetches the wanted one by itself, or says here that it may not.
  const { code, stderr } = await run("go", ["version"], { cwd: goModule, env: environment, allowFailure: true });
  if (code !== 0)
    throw new UserError(`no pulumi is on PATH, and this Go cannot build one: ${remedy}\n${stderr.trim()}`);
}
