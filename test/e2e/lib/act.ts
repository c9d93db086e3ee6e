import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parse } from "yaml";
import { ensureEngine } from "../../../tools/engine/engine.ts";
import { goTool } from "../../../tools/lib/buildTools.ts";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { run, which } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { debianProgram } from "./debian.ts";
import type { LocalGitHub } from "./github.ts";

/** A step as a workflow or an action writes it. */
export interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
}

/** A job's or an action's steps, with where they stand. */
export interface StepList {
  /** `WORKFLOW/JOB`, or the path of an action of ours. */
  readonly where: string;
  readonly steps: readonly Step[];
}

interface WorkflowFile {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

/** All steps of the workflows and of our own actions. */
export function allSteps(): readonly StepList[] {
  const read = (path: string): unknown => parse(readFileSync(join(root, path), "utf8"));
  const files = globSync(".github/workflows/*.yml", { cwd: root }).sort();
  const actions = globSync(".github/actions/*/action.yml", { cwd: root }).sort();
  return [
    ...files.flatMap((path) =>
      Object.entries((read(path) as WorkflowFile).jobs).map(([job, { steps }]) => ({
        where: `${path.replace(/^.*\/|\.yml$/g, "")}/${job}`,
        steps,
      })),
    ),
    ...actions.map((path) => ({
      where: `./${dirname(path)}`,
      steps: (read(path) as { runs: { steps: readonly Step[] } }).runs.steps,
    })),
  ];
}

/** The folder of the stand-ins, OWNER/NAME each. */
const STAND_INS = join(import.meta.dirname, "..", "actions");

/** The actions of others that the workflows use, `OWNER/NAME@COMMIT`, each with the folder of its stand-in. */
export function standIns(): ReadonlyMap<string, string> {
  const uses = allSteps().flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
  const others = [...new Set(uses.filter((each) => !each.startsWith("./")))];
  return new Map(others.map((each) => [each, join(STAND_INS, each.replace(/@.*$/, ""))]));
}

/** What a step is called here: its name, else its id, else what it does. */
export const titleOf = ({ name, id, uses, run: script }: Step) => name ?? id ?? uses ?? script ?? "";

/** One step that was run. */
export interface StepRun {
  /** `WORKFLOW/JOB`, or the action of ours that it belongs to. */
  readonly where: string;
  /** Its number there. */
  readonly index: number;
  readonly matrix: Readonly<Record<string, unknown>>;
  readonly ok: boolean;
  readonly output: string;
}

export interface WorkflowRun {
  readonly ok: boolean;
  readonly steps: readonly StepRun[];
  /** The whole log, for a test's message. */
  readonly log: string;
}

export interface RunRequest {
  readonly workflow: string;
  readonly event: "push" | "pull_request" | "schedule" | "workflow_dispatch";
  /** The folder of the commit for which it runs, on its branch. */
  readonly commit: string;
  readonly runId: string;
  readonly payload?: object;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly matrix?: Readonly<Record<string, readonly string[]>>;
  readonly actor?: string;
  readonly job?: string;
  /** Whether it builds images: a runner of GitHub's has buildx, which is long to build where Docker has none. */
  readonly builds?: boolean;
}

/** Runs workflows on this machine, as act does. */
export interface Runner {
  run(request: RunRequest): Promise<WorkflowRun>;
  stop(): void;
}

/** By what a machine reaches its package registries, and finds what it has built already. */
const KEPT =
  /^(PATH|LANG|TZ|PIP_\w+|SSL_\w+|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GO[A-Z]+|https?_proxy|no_proxy|DOCKER_HOST)$/i;

async function environment(): Promise<Record<string, string>> {
  const kept = Object.entries(process.env).flatMap(([name, value]) =>
    KEPT.test(name) && value !== undefined ? [[name, value] as const] : [],
  );
  const { stdout } = await run("go", ["env", "-json", "GOPATH", "GOCACHE", "GOENV"]);
  const { stdout: npmCache } = await run("npm", ["config", "get", "cache"], { cwd: root });
  return {
    ...Object.fromEntries(kept),
    ...(JSON.parse(stdout) as Record<string, string>),
    NPM_CONFIG_USERCONFIG: join(homedir(), ".npmrc"),
    NPM_CONFIG_CACHE: npmCache.trim(),
    NPM_CONFIG_PREFER_OFFLINE: "true",
    AUTOLLM_CACHE: cacheDir(),
  };
}

/** What a runner of GitHub's has installed besides: gh, and buildx for Docker's client. */
async function programs(home: string, bin: string, builds: boolean): Promise<void> {
  mkdirSync(bin, { recursive: true });
  if ((await which("gh")) === undefined) symlinkSync(await debianProgram("gh", "usr/bin/gh"), join(bin, "gh"));
  if (!builds || (await run("docker", ["buildx", "version"], { allowFailure: true })).code === 0) return;
  mkdirSync(join(home, ".docker", "cli-plugins"), { recursive: true });
  symlinkSync(await goTool("buildx"), join(home, ".docker", "cli-plugins", "docker-buildx"));
}

/** Prepares act, which is built from its Go module. */
export async function startRunner(github: LocalGitHub, folder: string): Promise<Runner> {
  const act = await goTool("act");
  const engine = await ensureEngine();
  // By their own paths: the project's commands know the built engine by its place.
  writeFileSync(join(github.standIns, "pulumi.path"), `${dirname(engine.pulumi)}\n`);
  writeFileSync(join(github.standIns, "node.path"), `${dirname(process.execPath)}\n`);
  const base = await environment();
  const replaced = [...standIns()].flatMap(([uses, path]) => {
    if (!existsSync(join(path, "action.yml"))) throw new Error(`the action ${uses} has no stand-in at ${path}`);
    return ["--local-repository", `${uses}=${path}`];
  });
  return {
    async run(request) {
      // Each run is on a machine of its own.
      const machine = mkdtempSync(join(folder, "runner-"));
      const home = join(machine, "home");
      const bin = join(machine, "bin");
      const settings = github.equip(home);
      await programs(home, bin, request.builds === true);
      const payload = join(machine, "event.json");
      writeFileSync(payload, JSON.stringify(request.payload ?? {}));
      const pairs = (flag: string, values: Readonly<Record<string, string>> = {}) =>
        Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`]);
      // Not on the command line, which everybody on the machine may read.
      const secrets = join(machine, "secrets");
      const lines = Object.entries({ GITHUB_TOKEN: github.token, ...request.secrets });
      writeFileSync(secrets, lines.map(([name, value]) => `${name}=${JSON.stringify(value)}\n`).join(""), {
        mode: 0o600,
      });
      const actor = request.actor ?? "carl";
      const args = [
        ...[request.event, "--directory", request.commit, "--workflows", `.github/workflows/${request.workflow}.yml`],
        ...["--platform", "ubuntu-24.04=-self-hosted", "--no-skip-checkout", ...replaced],
        ...["--json", "--no-cache-server", "--action-cache-path", join(machine, "work"), "--concurrent-jobs", "1"],
        ...["--eventpath", payload, "--secret-file", secrets, "--actor", actor, "--defaultbranch", "main"],
        ...pairs("--var", request.vars),
        ...pairs("--input", request.inputs),
        ...pairs("--env", { GITHUB_RUN_ID: request.runId, GITHUB_TRIGGERING_ACTOR: actor }),
        ...Object.entries(request.matrix ?? {}).flatMap(([name, values]) =>
          values.flatMap((value) => ["--matrix", `${name}:${value}`]),
        ),
        ...(request.job === undefined ? [] : ["--job", request.job]),
      ];
      // act gives each step a terminal where it can have one; a step on GitHub has none.
      const without = 'mount --bind /dev/null /dev/ptmx && exec "$@"';
      const line = ["--mount", "--propagation", "private", "sh", "-c", without, "sh", act, ...args];
      const env = { ...base, ...settings, PATH: `${bin}${delimiter}${base.PATH}` };
      const { code, stdout, stderr } = await run("env", ["-i", ...pairsOf(env), "unshare", ...line], {
        cwd: folder,
        allowFailure: true,
      });
      return { ok: code === 0, ...readLog(`${stdout}${stderr}`, request.workflow) };
    },
    stop: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const pairsOf = (env: Readonly<Record<string, string>>) =>
  Object.entries(env).map(([name, value]) => `${name}=${value}`);

interface Line {
  readonly msg: string;
  readonly jobID?: string;
  readonly job?: string;
  readonly matrix?: Readonly<Record<string, unknown>>;
  readonly step?: string;
  readonly stepID?: readonly string[];
  readonly stage?: string;
  readonly stepResult?: string;
  readonly raw_output?: boolean;
}

/** Reads act's log. A step of an action of ours is known by the step that uses it. */
export function readLog(text: string, workflow: string): Pick<WorkflowRun, "steps" | "log"> {
  const lists = new Map(allSteps().map(({ where, steps }) => [where, steps]));
  const outputs = new Map<string, string>();
  const steps: StepRun[] = [];
  const log: string[] = [];
  for (const raw of text.split("\n").filter((each) => each !== "")) {
    const line = parsed(raw);
    log.push(`[${line.job ?? "act"}] ${line.raw_output === true ? "| " : ""}${line.msg.trimEnd()}`);
    const { jobID, stepID, stage, matrix = {} } = line;
    if (jobID === undefined || stepID === undefined || stage !== "Main") continue;
    const key = JSON.stringify([line.job, matrix, stepID]);
    if (line.raw_output === true) outputs.set(key, `${outputs.get(key) ?? ""}${line.msg}`);
    const place = placeOf(lists, `${workflow}/${jobID}`, stepID);
    if (line.stepResult === undefined || line.stepResult === "skipped" || place === undefined) continue;
    steps.push({ ...place, matrix, ok: line.stepResult === "success", output: outputs.get(key) ?? "" });
  }
  return { steps, log: log.join("\n") };
}

function parsed(raw: string): Line {
  try {
    return JSON.parse(raw) as Line;
  } catch {
    return { msg: raw };
  }
}

/** Where a step stands, by its numbers or ids; undefined within an action of others. */
function placeOf(
  lists: ReadonlyMap<string, readonly Step[]>,
  where: string,
  [id = "", ...rest]: readonly string[],
): Pick<StepRun, "where" | "index"> | undefined {
  const steps = lists.get(where) ?? [];
  const index = /^\d+$/.test(id) ? Number(id) : steps.findIndex((step) => step.id === id);
  if (rest.length === 0) return { where, index };
  const uses = steps[index]?.uses ?? "";
  return uses.startsWith("./") ? placeOf(lists, uses, rest) : undefined;
}
