import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDir } from "../lib/cache.ts";
import { step, UserError } from "../lib/log.ts";
import { run, which } from "../lib/run.ts";
import { CLI_VERSION, type EnginePart, engineParts } from "./parts.ts";
import { patches } from "./patches.ts";

const goModule = fileURLToPath(new URL("go", import.meta.url));
const manifest = new URL("../../package.json", import.meta.url);
const VERSION_PACKAGE = "autollm.local/engine/version";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The version of a provider's npm package, which its plugin must carry. */
export function sdkVersion(sdk: string): string {
  const { dependencies } = JSON.parse(readFileSync(manifest, "utf8")) as Manifest;
  const version = dependencies[sdk];
  if (version === undefined) throw new Error(`${sdk} is not among the dependencies in package.json`);
  return version;
}

/** All files below a folder, sorted, but those that a build writes. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Names a binary by all that makes it: modules, sources, versions, and the Go toolchain. */
export function partKey(part: EnginePart, goVersion: string): string {
  const hash = createHash("sha256").update(`${goVersion}\0${CLI_VERSION}\0${part.package}\0`);
  const files = [
    join(goModule, "go.mod"),
    join(goModule, "go.sum"),
    ...part.sources.flatMap((source) => filesBelow(join(goModule, source))),
  ];
  for (const file of files)
    hash
      .update(`${relative(goModule, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  for (const { part: patched, find, replace } of patches)
    if (patched === part.name) hash.update(`${find}\0${replace}\0`);
  if (part.sdk !== undefined) hash.update(sdkVersion(part.sdk));
  return hash.digest("hex").slice(0, 16);
}

function linkFlags(part: EnginePart): string {
  const flags = ["-s", "-w", `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${CLI_VERSION}`];
  const variables: Readonly<Record<string, string>> = {
    "@pulumi/random": "Random",
    "@pulumi/tls": "TLS",
    "@pulumi/docker": "Docker",
    "@pulumi/command": "Command",
  };
  const variable = part.sdk === undefined ? undefined : variables[part.sdk];
  if (part.sdk !== undefined) flags.push(`-X ${VERSION_PACKAGE}.${variable}=${sdkVersion(part.sdk)}`);
  return flags.join(" ");
}

/** Mends a part's upstream modules: a checked download is copied into the workspace, patched there, and taken instead. */
async function applyPatches(workspace: string, part: EnginePart): Promise<void> {
  for (const { module, file, find, replace } of patches.filter((patch) => patch.part === part.name)) {
    await run("go", ["mod", "download", module], { cwd: workspace });
    const { stdout } = await run("go", ["list", "-m", "-f", "{{.Dir}}", module], { cwd: workspace });
    const copy = join(workspace, "patched", module);
    await run("cp", ["-R", stdout.trim(), mkdirFor(copy)]);
    await run("chmod", ["-R", "u+w", copy]);
    const text = readFileSync(join(copy, file), "utf8");
    if (text.split(find).length !== 2)
      throw new Error(`the patch of ${module}/${file} does not fit; see tools/engine/patches.ts`);
    writeFileSync(
      join(copy, file),
      text.replace(find, () => replace),
    );
    await run("go", ["mod", "edit", "-replace", `${module}=${copy}`], { cwd: workspace });
  }
}

/** Makes the folder that a copy goes into, and answers the copy's path. */
function mkdirFor(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

async function goBuild(workspace: string, part: EnginePart, goPackage: string, output: string): Promise<void> {
  await run("go", ["build", "-trimpath", "-ldflags", linkFlags(part), "-o", output, goPackage], { cwd: workspace });
}

/** A bridged provider embeds its schema, which a program of its own writes; the first build of that needs the files to exist. */
async function writeSchema(workspace: string, part: EnginePart, generator: string): Promise<void> {
  const target = join(workspace, part.package);
  const tool = join(workspace, "tfgen");
  await goBuild(workspace, part, generator, tool);
  const out = join(workspace, "schema");
  await run(tool, ["schema", "--skip-docs", "--skip-examples", "--out", out], { cwd: workspace });
  for (const file of ["schema.json", "bridge-metadata.json"]) cpSync(join(out, file), join(target, file));
}

/** Builds one binary into the cache, unless it is there. It appears under its name when it is whole, so an interruption leaves none by half. */
async function buildPart(part: EnginePart, goVersion: string): Promise<string> {
  const folder = cacheDir("engine", "parts");
  const finished = join(folder, `${part.name}-${partKey(part, goVersion)}`);
  if (existsSync(finished)) return finished;
  await step(`building ${part.name} from Go modules`, part.expectation, async () => {
    const workspace = `${finished}.work`;
    rmSync(workspace, { recursive: true, force: true });
    // A copy, since the schema is written beside the sources and two builds must not meet there.
    cpSync(goModule, workspace, { recursive: true });
    await applyPatches(workspace, part);
    if (part.schema !== undefined) await writeSchema(workspace, part, part.schema);
    await goBuild(workspace, part, part.package, join(workspace, "binary"));
    renameSync(join(workspace, "binary"), finished);
    rmSync(workspace, { recursive: true, force: true });
  });
  return finished;
}

/** The folder of a complete engine: CLI and language host side by side, and the providers installed as plugins. */
export async function buildEngine(): Promise<{ bin: string; home: string }> {
  if ((await which("go")) === undefined) {
    throw new UserError(
      "neither pulumi nor go is on PATH: install the Pulumi CLI (https://www.pulumi.com/docs/install/), or Go 1.26 to build it",
    );
  }
  const goVersion = (await run("go", ["env", "GOVERSION"], { cwd: goModule })).stdout.trim();
  const binaries = new Map<EnginePart, string>();
  for (const part of engineParts) binaries.set(part, await buildPart(part, goVersion));
  const key = createHash("sha256")
    .update([...binaries.values()].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const folder = join(cacheDir("engine"), key);
  const bin = join(folder, "bin");
  const home = join(folder, "home");
  if (existsSync(join(folder, "complete"))) return { bin, home };
  mkdirSync(bin, { recursive: true });
  for (const [part, binary] of binaries) if (part.sdk === undefined) cpSync(binary, join(bin, part.name));
  for (const [part, binary] of binaries) {
    if (part.sdk === undefined) continue;
    const name = part.sdk.replace("@pulumi/", "");
    await run(
      join(bin, "pulumi"),
      ["plugin", "install", "resource", name, sdkVersion(part.sdk), "--file", binary, "--reinstall"],
      {
        env: engineEnv(bin, home),
      },
    );
  }
  writeFileSync(join(folder, "complete"), "");
  return { bin, home };
}

/** The environment that keeps the built engine to itself: its own plugins, and no look for updates that could not be had. */
export function engineEnv(bin: string, home: string): Record<string, string> {
  return {
    PATH: `${bin}:${process.env.PATH ?? ""}`,
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
  };
}
