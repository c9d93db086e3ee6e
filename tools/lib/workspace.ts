import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { systemFault } from "../../components/nodeVersion.cjs";
import { type Engine, type EngineOptions, ensureEngine } from "../bootstrap/engine/engine.ts";
import { cacheDir } from "./cache.ts";
import { causeOf } from "./causes.ts";
import { readHalf, wholeOf } from "./halfWritten.ts";
import { assertMayChange } from "./held.ts";
import { withKey } from "./keyAgent.ts";
import { UserError } from "./log.ts";
import { ensureNetworkRange } from "./networkRange.ts";
import { failureOf, type RunOptions, type RunResult, run } from "./run.ts";
import { refuseConflict, StackFile } from "./stackFile.ts";
import { deploymentOf, stateFile } from "./state.ts";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Stack names that the repository holds a config for; they live in the backend that `pulumi login` chose. */
const SHARED_STACKS = ["staging", "production"];

/** Whether a stack's state lies in a backend that several people use. */
export function isShared(stack: string): boolean {
  return SHARED_STACKS.includes(stack);
}

/** A stack name as Pulumi takes it, and short enough for the names of its containers. */
const STACK_NAME = /^[a-z][a-z0-9-]{0,30}$/;

/** Where a stack's commands run: a project directory, and the environment that opens its backend and secrets. */
export interface Workspace {
  readonly stack: string;
  readonly cwd: string;
  readonly engine: Engine;
  /** Whether the stack's state and passphrase lie in the ignored folder of this clone. */
  readonly local: boolean;
  pulumi(args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/** Writes a file for its owner alone to read, also over one that others could read; it is on the disk afterwards. */
export function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600, flush: true });
  chmodSync(path, 0o600);
}

/**
 * The project directory of stacks on this machine, inside the clone and ignored by git. It holds their state, passphrase and
 * config, so that Pulumi never writes into the files that git tracks.
 */
function localProject(home: string): string {
  mkdirSync(join(home, "state"), { recursive: true, mode: 0o700 });
  writeProject(home, { backend: { url: `file://${join(home, "state")}` } });
  const passphrase = join(home, "passphrase");
  if (!existsSync(passphrase)) writePrivate(passphrase, `${randomBytes(32).toString("base64url")}\n`);
  return passphrase;
}

/** Makes a folder a project directory of this program. */
function writeProject(folder: string, more: Readonly<Record<string, unknown>>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const project = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as Record<string, unknown>;
  // Made aside and renamed: another command may be at work in the same folder.
  const aside = join(folder, `.new-${process.pid}`);
  writeFileSync(aside, stringify({ ...project, main: "program/start.js", ...more }));
  renameSync(aside, join(folder, "Pulumi.yaml"));
  // Pulumi wants the program inside the project's directory.
  symlinkSync(root, aside);
  renameSync(aside, join(folder, "program"));
}

/** The folder of the stacks on this machine; `AUTOLLM_HOME` overrides `.pulumi-local` in the clone. */
export function localHome(): string {
  return resolve(process.env.AUTOLLM_HOME ?? join(root, ".pulumi-local"));
}

/** @throws UserError when it is no name of a stack */
export function checkStackName(stack: string): void {
  if (STACK_NAME.test(stack)) return;
  throw new UserError(`"${stack}" is no stack name: lower-case letters, digits and hyphens, 31 characters at most`, 64);
}

/** The environment that opens a stack's backend and secrets. */
function engineEnv(local: boolean, engine: Engine): Record<string, string> {
  return {
    // Program and policies start in half the time, since Node finds them compiled.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? cacheDir("node"),
    ...engine.env,
    ...(local ? { PULUMI_CONFIG_PASSPHRASE_FILE: localProject(localHome()) } : {}),
  };
}

/** Opens the workspace of a stack, building the engine where there is none, unless the options say otherwise. */
export async function openWorkspace(stack: string, options: EngineOptions = {}): Promise<Workspace> {
  checkStackName(stack);
  const wrongSystem = systemFault();
  if (wrongSystem !== undefined) throw new UserError(wrongSystem);
  const engine = await ensureEngine(options);
  const local = !isShared(stack);
  const home = localHome();
  const env = engineEnv(local, engine);
  return workspaceIn(local ? home : root, { stack, local, engine, env });
}

interface Opened extends Pick<Workspace, "stack" | "local" | "engine"> {
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The same stack, with the same state, from a folder that has another config of it.
 * @param folder made a project directory, which holds that config
 * @param env added to the engine's environment
 */
export function workspaceWith(
  workspace: Workspace,
  folder: string,
  config: string,
  env: Readonly<Record<string, string>>,
): Workspace {
  const { local, engine, stack } = workspace;
  writeProject(folder, local ? { backend: { url: `file://${join(workspace.cwd, "state")}` } } : {});
  const state = join(folder, "state");
  rmSync(state, { force: true });
  if (local) symlinkSync(join(workspace.cwd, "state"), state);
  writePrivate(join(folder, `Pulumi.${stack}.yaml`), config);
  return workspaceIn(folder, { stack, local, engine, env: { ...engineEnv(local, engine), ...env } });
}

function workspaceIn(cwd: string, { stack, local, engine, env }: Opened): Workspace {
  const file = join(cwd, `Pulumi.${stack}.yaml`);
  if (existsSync(file)) refuseConflict(file, readFileSync(file, "utf8"));
  return {
    stack,
    cwd,
    engine,
    local,
    pulumi: async (args, options = {}) => {
      assertMayChange(stack, args);
      const line = withKey(engine.pulumi, args, file, engine.env.PATH);
      const all = { cwd, ...options, keepErrors: true, env: { ...env, ...line.env, ...options.env } };
      const once = () => run(line.program, line.args, { ...all, allowFailure: true });
      const result = options.output === "show" ? await once() : await wholeOf(once, readHalf);
      // What the engine showed stands above; a cause outside the project is told in its place as well.
      const cause = result.code !== 0 && options.output === "show" ? causeOf(result.stderr) : undefined;
      if (cause !== undefined) throw new UserError(cause, result.code);
      if (result.code !== 0 && options.allowFailure !== true) throw failureOf(line.program, line.args, result);
      return result;
    },
  };
}

/**
 * Where the files that a local stack's containers mount lie: apart from its state, so that a copy of the clone or of
 * `.pulumi-local` gives no secret away. Two clones on one machine do not meet there.
 */
function filesHome({ cwd, stack }: Pick<Workspace, "cwd" | "stack">): string {
  const state = process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state");
  const clone = createHash("sha256").update(cwd).digest("hex").slice(0, 8);
  return join(state, "autollm-trader", clone, stack);
}

/** Makes a local stack and its config from the embedded default, unless it is there. */
export async function ensureLocalStack(workspace: Workspace): Promise<void> {
  const config = join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`);
  const fresh = !existsSync(config);
  if (fresh) writePrivate(config, readFileSync(join(root, "Pulumi.local.yaml"), "utf8"));
  if (!(await stackExists(workspace))) await workspace.pulumi(["stack", "init", workspace.stack, "--no-select"]);
  if (fresh) {
    const { DOCKER_HOST } = process.env;
    await setConfig(workspace, {
      filesDir: filesHome(workspace),
      // The daemon that the docker command speaks to is the one that the images are built on.
      ...(DOCKER_HOST === undefined ? {} : { dockerHost: DOCKER_HOST }),
    });
  }
  await ensureNetworkRange(workspace);
}

export async function stackExists(workspace: Workspace): Promise<boolean> {
  // A start of the engine takes a third of a second or more.
  if (workspace.local) return existsSync(stateFile(workspace));
  const { stdout } = await workspace.pulumi(["stack", "ls", "--json"]);
  return (JSON.parse(stdout) as { name: string }[]).some(({ name }) => name.split("/").at(-1) === workspace.stack);
}

/** Forgets a stack that has been destroyed: its config, files, and the copies of its state that the backend would keep. */
export async function forgetLocalStack(workspace: Workspace): Promise<void> {
  const { stack, cwd } = workspace;
  await workspace.pulumi(["stack", "rm", stack, "--yes"]);
  rmSync(join(cwd, `Pulumi.${stack}.yaml`), { force: true });
  rmSync(filesHome(workspace), { recursive: true, force: true });
  const state = join(cwd, "state", ".pulumi");
  for (const kind of ["history", "backups"])
    rmSync(join(state, kind, "autollm", stack), { recursive: true, force: true });
  const stacks = join(state, "stacks", "autollm");
  for (const file of readdirSync(stacks))
    if (file.startsWith(`${stack}.json`)) rmSync(join(stacks, file), { force: true });
}

/**
 * Sets plain config values, all in one run of the engine; a key may be a path such as `generation.redis`. Those that the stack's
 * file has already cost none.
 */
export async function setConfig(workspace: Workspace, values: Readonly<Record<string, string>>): Promise<void> {
  const path = join(workspace.cwd, `Pulumi.${workspace.stack}.yaml`);
  const file = existsSync(path) ? new StackFile(path) : undefined;
  const pairs = Object.entries(values)
    .filter(([key, value]) => file?.text(key) !== value)
    .flatMap(([key, value]) => ["--plaintext", `autollm:${key}=${value}`]);
  if (pairs.length > 0) await workspace.pulumi(["config", "set-all", "--stack", workspace.stack, "--path", ...pairs]);
}

/** A stack's outputs; secret ones only where asked for. */
export async function outputs(workspace: Workspace, showSecrets = false): Promise<Readonly<Record<string, unknown>>> {
  if (workspace.local && !showSecrets) {
    const { resources = [] } = await deploymentOf(workspace);
    return resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
  }
  const args = ["stack", "output", "--stack", workspace.stack, "--json", ...(showSecrets ? ["--show-secrets"] : [])];
  return JSON.parse((await workspace.pulumi(args)).stdout) as Record<string, unknown>;
}
