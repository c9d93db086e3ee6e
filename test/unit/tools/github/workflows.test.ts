import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import semver from "semver";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { applicationNames, applications } from "../../../../components/platform/applications/index.ts";
import { serviceNames } from "../../../../components/platform/catalogue.ts";
import { commands } from "../../../../tools/commands.ts";
import { MARKER, previewComment, summary } from "../../../../tools/github/comment.ts";
import { environments, rulesets, trust } from "../../../../tools/github/rules.ts";
import { imagePlan } from "../../../../tools/lib/imagePlan.ts";
import { run as runProgram } from "../../../../tools/lib/run.ts";
import { root } from "../../../../tools/lib/workspace.ts";

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly if?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly environment?: string;
  readonly "timeout-minutes"?: number;
  readonly steps: readonly Step[];
  readonly strategy?: { readonly matrix: { readonly stack?: readonly string[]; readonly include?: string } };
}
interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency?: { readonly group: string };
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(root, ".github", "workflows");
const files = readdirSync(folder);
const textOf = (path: string) => readFileSync(join(root, path), "utf8");
const workflows = files.map((file) => parse(textOf(join(".github/workflows", file))) as Workflow);
const jobs = workflows.flatMap((workflow) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ name: `${workflow.name}/${name}`, job, workflow })),
);
const manifest = JSON.parse(textOf("package.json")) as {
  scripts: Record<string, string>;
  engines: { node: string; pulumi: string };
};

describe("the workflows", () => {
  it("are those that the platform's delivery names", () => {
    expect(workflows.map(({ name }) => name).sort()).toEqual(
      ["ci", "deploy-production", "deploy-staging", "drift", "e2e", "images", "preview", "rotate", "security"].sort(),
    );
  });

  it.each(workflows.map((each) => [each.name, each] as const))(
    "%s: no rights by default, and one run at a time",
    (_, each) => {
      expect(each.permissions).toEqual({});
      expect(each.concurrency?.group).toMatch(/./);
    },
  );

  it.each(jobs.map((each) => [each.name, each.job] as const))("%s: says its rights, and ends by itself", (_, job) => {
    expect(job.permissions).toBeDefined();
    expect(job["timeout-minutes"]).toBeLessThanOrEqual(60);
  });

  it("pin every action by a commit, with its version beside it", () => {
    const texts = [...files.map((file) => join(".github/workflows", file)), ".github/actions/setup/action.yml"].map(
      textOf,
    );
    const uses = texts.flatMap((text) => text.split("\n").filter((line) => /^\s*-?\s*uses:/.test(line)));
    expect(uses.length).toBeGreaterThan(20);
    for (const line of uses) expect(line).toMatch(/uses: (\.\/|[\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)/);
  });

  it("leave no token behind in a checkout", () => {
    const checkouts = jobs.flatMap(({ job }) => job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout@")));
    expect(checkouts.length).toBeGreaterThan(8);
    for (const { with: inputs } of checkouts) expect(inputs?.["persist-credentials"]).toBe(false);
  });

  it("never run a fork's code with a secret, an environment or a right to write", () => {
    for (const { on } of workflows)
      expect(Object.keys(on)).toEqual(expect.not.arrayContaining(["pull_request_target", "workflow_run"]));
    const ours = "github.event.pull_request.head.repo.full_name == github.repository";
    for (const { name, job, workflow } of jobs.filter(({ workflow: { on } }) => "pull_request" in on)) {
      const trusted =
        JSON.stringify(job).includes("secrets.") ||
        job.environment !== undefined ||
        Object.values(job.permissions ?? {}).includes("write");
      if (trusted) expect(job.if, `${name} of ${workflow.name}`).toContain(ours);
    }
  });

  it("put no value that others choose into a script", () => {
    const scripts = jobs.flatMap(({ job }) => job.steps.map(({ run }) => run ?? ""));
    expect(scripts.filter((script) => script.includes("${{"))).toEqual([]);
  });

  it("call only commands that package.json and ./autollm have", () => {
    const scripts = jobs.flatMap(({ job }) => job.steps.map(({ run }) => run ?? ""));
    const called = (pattern: RegExp) =>
      scripts.flatMap((script) => [...script.matchAll(pattern)].map(([, name = ""]) => name));
    const ours = called(/\.\/autollm ([\w-]+)/g);
    expect(ours.length).toBeGreaterThan(15);
    expect(ours.filter((name) => !Object.hasOwn(commands, name))).toEqual([]);
    const npms = called(/npm run (?:-s )?([\w:-]+)/g);
    expect(npms.length).toBeGreaterThan(1);
    expect(npms.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
  });

  it("build what the application's table says", () => {
    const build = jobs.find(({ name }) => name === "images/build")?.job;
    expect(build?.strategy?.matrix.include).toMatch(/fromJSON\(needs\.plan\.outputs\.images\)/);
  });

  it.each(applicationNames)("find each Dockerfile of %s at the path that its table says", (name) => {
    const { build } = applications[name];
    if (build === undefined) return expect(name).toBe("conventions");
    const { repository, branch, images } = imagePlan(build);
    expect(repository).toMatch(/^[\w.-]+\/[\w.-]+$/);
    expect(branch).toMatch(/^[\w./-]+$/);
    expect(images.map(({ service }) => service)).toEqual(serviceNames);
    for (const { dockerfile, context, image } of images) {
      expect(dockerfile).toMatch(/^[\w.-]+(\/[\w.-]+)*$/);
      expect(context).toMatch(/^(\.|[\w-]+(\/[\w-]+)*)$/);
      expect(image).toMatch(/^[a-z0-9]+([._-][a-z0-9]+)*$/);
    }
    expect(new Set(images.map(({ dockerfile }) => dockerfile)).size).toBe(images.length);
  });

  it("find AutoLLM Trader's Dockerfiles, of which the gateway's has a name of its own", () => {
    const build = applications.autollm.build;
    expect(build?.dockerfile("gateway-api")).toBe("infra/dockerfiles/gateway.Dockerfile");
    expect(build?.dockerfile("risk-manager")).toBe("infra/dockerfiles/risk_manager.Dockerfile");
  });

  it("install a Pulumi and a Node that the project takes", () => {
    const action = parse(textOf(".github/actions/setup/action.yml")) as { runs: { steps: readonly Step[] } };
    const input = (name: string) =>
      action.runs.steps.map((step) => step.with?.[name]).find((value) => value !== undefined);
    expect(semver.satisfies(String(input("pulumi-version")), manifest.engines.pulumi)).toBe(true);
    expect(semver.satisfies(semver.coerce(String(input("node-version"))) ?? "", manifest.engines.node)).toBe(true);
  });
});

describe("what a single person can bring about", () => {
  /** The environments of a job, one for each value of its matrix. */
  const environmentsOf = ({ environment = "", strategy }: Job): string[] =>
    /\$\{\{ matrix\.stack \}\}/.test(environment)
      ? (strategy?.matrix.stack ?? []).map((stack) => environment.replace(/\$\{\{.*\}\}/, stack))
      : environment === ""
        ? []
        : [environment];
  const rule = (name: string) => environments.find((each) => each.name === name);
  const secretsOf = (job: Job) => [...JSON.stringify(job).matchAll(/secrets\.([A-Z_]+)/g)].map(([, name = ""]) => name);

  it("reaches no environment but those that the rules protect, and each of those is used", () => {
    const used = new Set(jobs.flatMap(({ job }) => environmentsOf(job)));
    expect([...used].sort()).toEqual(environments.map(({ name }) => name).sort());
  });

  it("uses no secret outside the environments that hold it", () => {
    for (const { name, job } of jobs) {
      const wanted = secretsOf(job);
      if (wanted.length > 0) expect(environmentsOf(job), name).not.toEqual([]);
      for (const environment of environmentsOf(job))
        expect(rule(environment)?.secrets, `${name} in ${environment}`).toEqual(expect.arrayContaining(wanted));
    }
  });

  it("gives a pull request's code no secret at all, and no token that changes a stack", () => {
    for (const { name, job, workflow } of jobs.filter(({ workflow: { on } }) => "pull_request" in on)) {
      expect(secretsOf(job), name).toEqual([]);
      const token = job.steps.find(({ uses }) => uses?.startsWith("pulumi/auth-actions@"))?.with;
      if (token === undefined) continue;
      expect(token["requested-token-type"], workflow.name).toMatch(/:team$/);
      expect(token.scope).toMatch(/^team:/);
    }
  });

  it("starts no deployment by a tag, nor by a branch other than main", () => {
    for (const { name, on } of workflows) {
      const push = (on.push ?? {}) as { branches?: readonly string[]; tags?: unknown };
      expect(push.tags, name).toBeUndefined();
      if ("push" in on) expect(push.branches, name).toEqual(["main"]);
    }
    for (const { name } of environments.filter(({ from }) => from === "any")) expect(name).toMatch(/^preview-/);
  });

  it("exchanges no token outside an environment that the trust names", () => {
    const trusted = JSON.stringify(trust("o/r", "org", "team"));
    const exchanging = jobs.filter(({ job }) => job.steps.some(({ uses }) => uses?.startsWith("pulumi/auth-actions@")));
    expect(exchanging).toHaveLength(5);
    for (const { name, job } of exchanging) {
      expect(environmentsOf(job), name).not.toEqual([]);
      for (const environment of environmentsOf(job)) expect(trusted, name).toContain(`environment:${environment}"`);
    }
  });

  it("opens no pull request as the bot, and approves none", () => {
    const scripts = jobs
      .flatMap(({ job }) => job.steps.map(({ run }) => run ?? ""))
      .concat(textOf("tools/github/propose.sh"));
    expect(scripts.filter((script) => /gh pr (create|review|merge)/.test(script))).toEqual([]);
    const writers = jobs.filter(({ job }) => job.permissions?.["pull-requests"] === "write");
    expect(writers.map(({ name }) => name)).toEqual(["preview/comment"]);
  });

  it("merges nothing without checks that jobs of these names make for each pull request", () => {
    const rules = rulesets.flatMap((ruleset) => ruleset.rules);
    const wanted = rules.find(({ type }) => type === "required_status_checks");
    const checks = wanted?.parameters?.required_status_checks as readonly { context: string }[];
    const made = jobs.filter(({ workflow: { on } }) => "pull_request" in on).map(({ job }) => job.name);
    expect(made).toEqual(expect.arrayContaining(checks.map(({ context }) => context)));
  });

  describe("by a step's script", () => {
    let home: string;
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    });
    afterEach(() => rmSync(home, { recursive: true }));
    const scriptOf = (job: string, step: RegExp) => {
      const found = jobs.find(({ name }) => name === job)?.job.steps.find(({ name = "" }) => step.test(name));
      return found?.run ?? "exit 99";
    };
    /** As GitHub runs a step that names no shell. */
    const bash = (script: string, env: Readonly<Record<string, string>>) =>
      runProgram("bash", ["-e", "-c", script], { cwd: home, env, allowFailure: true });

    it.each([
      [["ada", "bob"], "carl", 0],
      [["ada", "bob", "carl"], "carl", 0],
      [["ada", "ada"], "carl", 1],
      [["ada", "carl"], "carl", 1],
      [[], "carl", 1],
    ] as const)("production: approved by %j, started by %s: ends with %d", async (approvers, actor, code) => {
      // In place of GitHub's client: it hands the documented answer to the filter that the step gives.
      const approvals = approvers.map((login) => ({
        state: "approved",
        comment: "",
        environments: [],
        user: { login },
      }));
      const rejected = { state: "rejected", user: { login: "dora" } };
      writeFileSync(join(home, "approvals.json"), JSON.stringify([...approvals, rejected]));
      writeFileSync(join(home, "gh"), '#!/bin/sh\nexec jq -r "$4" "$HOME/approvals.json"\n');
      chmodSync(join(home, "gh"), 0o755);
      const env = {
        HOME: home,
        PATH: `${home}${delimiter}${process.env.PATH}`,
        GITHUB_ACTOR: actor,
        GITHUB_TRIGGERING_ACTOR: actor,
      };
      expect((await bash(scriptOf("deploy-production/deploy", /two people/), env)).code).toBe(code);
    });

    it("images: takes a commit that the application's main contains, and no other", async () => {
      const app = join(home, "application");
      mkdirSync(app);
      const git = async (...args: readonly string[]) =>
        (
          await runProgram("git", ["-c", "user.name=t", "-c", "user.email=t@t.example", ...args], { cwd: app })
        ).stdout.trim();
      const commit = async (text: string) => {
        await git("commit", "--quiet", "--allow-empty", "--message", text);
        return git("rev-parse", "HEAD");
      };
      await git("init", "--quiet", "--initial-branch", "main");
      const first = await commit("first");
      await git("switch", "--quiet", "--create", "side");
      const unreviewed = await commit("unreviewed");
      await git("switch", "--quiet", "main");
      const second = await commit("second");
      const script = scriptOf("images/build", /contains the commit/);
      expect((await bash(script, { REF: unreviewed })).code).not.toBe(0);
      expect(await git("rev-parse", "HEAD"), "nothing was checked out").toBe(second);
      expect((await bash(script, { REF: "0".repeat(40) })).code).not.toBe(0);
      expect((await bash(script, { REF: first })).code).toBe(0);
      expect(await git("rev-parse", "HEAD")).toBe(first);
    });
  });
});

describe("the preview's comment", () => {
  const text =
    "Previewing update (staging):\n ~ docker:Container x\n\nResources:\n    + 2 to create\n    ~ 1 to update\n    80 unchanged\n\n";

  it("sums each stack up in a line, and keeps the whole below", () => {
    expect(summary(text)).toBe("+ 2 to create, ~ 1 to update, 80 unchanged");
    const comment = previewComment([
      { stack: "staging", text },
      { stack: "production", text: undefined },
    ]);
    expect(comment.startsWith(MARKER)).toBe(true);
    expect(comment).toContain("### staging: + 2 to create");
    expect(comment).toContain("### production: not previewed");
  });

  it("says that a preview has failed, also where policies ended it after its counts", () => {
    expect(summary("error: could not load")).toBe("failed");
    expect(summary(`${text}error: pulumi preview failed (exit code 255)`)).toMatch(/^failed: \+ 2/);
  });

  it("lets no line of the text end its frame, and fits where GitHub takes it", () => {
    expect(previewComment([{ stack: "staging", text: "```\n@everyone\n````" }])).toContain("`````diff");
    const long = `${"x".repeat(200_000)}\n${text}`;
    const comment = previewComment([
      { stack: "staging", text: long },
      { stack: "production", text: long },
    ]);
    expect(comment.length).toBeLessThan(65_536);
    expect(comment).toContain("80 unchanged");
  });

  it("has no colours", () =>
    expect(previewComment([{ stack: "s", text: "\u001b[31mred\u001b[0m" }])).not.toContain("\u001b"));

  it("is found by the line that the workflow looks for", () =>
    expect(textOf(".github/workflows/preview.yml")).toContain(`startswith("${MARKER}")`));
});
