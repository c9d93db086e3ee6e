import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { cacheDir } from "../../lib/cache.ts";
import { step, UserError } from "../../lib/log.ts";
import { run } from "../../lib/run.ts";
import { go, goModule } from "./go.ts";
import { CLI_VERSION, type EnginePart } from "./parts.ts";
import { patches } from "./patches.ts";

const manifest = new URL("../../../package.json", import.meta.url);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The version of a provider's npm package, which its plugin must carry. */
export function sdkVersion(plugin: string): string {
  const { dependencies } = JSON.parse(readFileSync(manifest, "utf8")) as Manifest;
  const version = dependencies[`@pulumi/${plugin}`];
  if (version === undefined) throw new Error(`@pulumi/${plugin} is not among the dependencies in package.json`);
  return version;
}

/** All files below a folder that a binary is made of, sorted: not its tests, and not what a build writes. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".json") && !entry.name.endsWith("_test.go"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Names a binary by all that makes it: modules, sources, patches and versions. */
export function partKey(part: EnginePart, module = goModule): string {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\0${CLI_VERSION}\0${part.package}\0`);
  const files = [
    join(module, "go.mod"),
    join(module, "go.sum"),
    ...part.sources.flatMap((source) => filesBelow(join(module, source))),
  ];
  for (const file of files)
    hash
      .update(`${relative(module, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  for (const { part: patched, find, replace } of patches)
    if (patched === part.name) hash.update(`${find}\0${replace}\0`);
  if (part.plugin !== undefined) hash.update(sdkVersion(part.plugin.name));
  return hash.digest("hex").slice(0, 16);
}

/** Where the cache keeps a finished binary. */
export function partPath(part: EnginePart): string {
  return join(cacheDir("engine", "parts"), `${part.name}-${partKey(part)}`);
}

function linkFlags({ plugin }: EnginePart): string {
  const flags = ["-s", "-w", `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${CLI_VERSION}`];
  if (plugin !== undefined) flags.push(`-X ${plugin.versionVariable}=${sdkVersion(plugin.name)}`);
  return flags.join(" ");
}

/** Fixes a part's upstream modules: a checked download is copied into the workspace, patched there, and used instead. */
async function applyPatches(workspace: string, part: EnginePart): Promise<void> {
  for (const { module, file, find, replace } of patches.filter((patch) => patch.part === part.name)) {
    await go(workspace, "mod", "download", module);
    const { stdout } = await go(workspace, "list", "-m", "-f", "{{.Dir}}", module);
    const copy = join(workspace, "patched", module);
    mkdirSync(dirname(copy), { recursive: true });
    await run("cp", ["-R", stdout.trim(), copy]);
    await run("chmod", ["-R", "u+w", copy]);
    // A folder is a module only if it says so; modules from before go.mod do not.
    if (!existsSync(join(copy, "go.mod"))) writeFileSync(join(copy, "go.mod"), `module ${module}\n`);
    const text = readFileSync(join(copy, file), "utf8");
    if (text.split(find).length !== 2)
      throw new Error(`the patch of ${module}/${file} does not fit; see tools/bootstrap/engine/patches.ts`);
    writeFileSync(
      join(copy, file),
      text.replace(find, () => replace),
    );
    await go(workspace, "mod", "edit", "-replace", `${module}=${copy}`);
  }
}

async function compile(workspace: string, part: EnginePart, goPackage: string, output: string): Promise<void> {
  await go(workspace, "build", "-trimpath", "-ldflags", linkFlags(part), "-o", output, goPackage);
}

/** A bridged provider embeds its schema, which a program of its own writes. */
async function writeSchema(workspace: string, part: EnginePart, generator: string): Promise<void> {
  const tool = join(workspace, "tfgen");
  await compile(workspace, part, generator, tool);
  const out = join(workspace, "schema");
  await run(tool, ["schema", "--skip-docs", "--skip-examples", "--out", out], { cwd: workspace });
  for (const file of ["schema.json", "bridge-metadata.json"])
    cpSync(join(out, file), join(workspace, part.package, file));
}

/** Builds one binary into the cache, unless it is there. It appears under its name when it is whole, so an interruption leaves no incomplete one. */
export async function buildPart(part: EnginePart): Promise<string> {
  const finished = partPath(part);
  if (existsSync(finished)) return finished;
  await step(`building ${part.name} from Go modules`, part.expectation, async () => {
    const workspace = `${finished}.work`;
    rmSync(workspace, { recursive: true, force: true });
    // A copy, since the schema is written beside the sources and two builds must not meet there.
    cpSync(goModule, workspace, { recursive: true });
    try {
      await applyPatches(workspace, part);
      if (part.schema !== undefined) await writeSchema(workspace, part, part.schema);
      await compile(workspace, part, part.package, join(workspace, "binary"));
    } catch (error) {
      throw new UserError(
        `${part.name} could not be built (finished parts are kept): ${error instanceof Error ? error.message : error}`,
      );
    }
    renameSync(join(workspace, "binary"), finished);
    rmSync(workspace, { recursive: true, force: true });
  });
  return finished;
}
