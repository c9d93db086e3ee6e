import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { ensureEngine } from "../../../tools/bootstrap/engine/engine.ts";
import { goTool } from "../../../tools/lib/buildTools.ts";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { run, which } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { debianProgram } from "./debian.ts";
import type { LocalGitHub } from "./github.ts";
import { readLog, standIns, type WorkflowRun } from "./workflowSteps.ts";

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

/** Debian's packages of programs that a runner of GitHub's has installed. */
const INSTALLED = ["gh", "shellcheck"] as const;

/** Puts those that this machine lacks into a folder, and buildx where Docker's client finds it. */
async function programs(home: string, bin: string, builds: boolean): Promise<void> {
  mkdirSync(bin, { recursive: true });
  for (const name of INSTALLED)
    if ((await which(name)) === undefined) symlinkSync(await debianProgram(name, `usr/bin/${name}`), join(bin, name));
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
  };
}

const pairsOf = (env: Readonly<Record<string, string>>) =>
  Object.entries(env).map(([name, value]) => `${name}=${value}`);
