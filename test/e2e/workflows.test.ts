import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { STAND_IN_COMMAND } from "../../components/platform/standIn.ts";
import { MARKER } from "../../tools/github/comment.ts";
import { buildStackImages, type StackImages } from "../../tools/lib/prepare.ts";
import { run } from "../../tools/lib/run.ts";
import { StackFile } from "../../tools/lib/stackFile.ts";
import { root } from "../../tools/lib/workspace.ts";
import { randomText } from "../unit/lib/values.ts";
import { type Runner, type RunRequest, startRunner } from "./lib/act.ts";
import { type LocalGitHub, ORGANIZATION, READ_TEAM, startGitHub } from "./lib/github.ts";
import { type Registry, startRegistry } from "./lib/registry.ts";
import { docker, freePort } from "./lib/stack.ts";
import { allSteps, titleOf, type WorkflowRun } from "./lib/workflowSteps.ts";

const REPOSITORY = "acme/trader-stack";
const PULL_REQUEST = 5;
const STAGING = "Pulumi.staging.yaml";
const PRODUCTION = "Pulumi.production.yaml";
/** It is healthy, and shows everybody everything: the smoke tests refuse it. */
const OPEN_GATEWAY = [
  "node",
  "--eval",
  'require("node:http").createServer((_, answer) => answer.end("ok")).listen(process.env.PORT ?? 8080)',
];

/** Steps that are not run here, with what they need. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "e2e/end-to-end: npm run e2e": "it is what runs this test",
  "e2e/end-to-end: npm run e2e:full": "it is what runs this test",
  "security/trivy: ./autollm scan images": "Trivy's database, and a login at GitHub's registry",
};

/** The workflows, run by act on this machine, on a GitHub and a Pulumi Cloud of the test's own, with real stacks. */
describe("the workflows", () => {
  const home = mkdtempSync(join(tmpdir(), "autollm-workflows-"));
  /** The commit that a workflow runs for, and in which the operator works. */
  const commit = join(home, "commit");
  const inCommit = (file: string) => join(commit, file);
  const passphrase = randomBytes(16).toString("hex");
  const backend = { PULUMI_BACKEND_URL: `file://${join(home, "state")}`, PULUMI_CONFIG_PASSPHRASE: passphrase };
  const registryUser = "robot";
  const registryPassword = randomText(24);
  const runs: WorkflowRun[] = [];
  const gateways = new Map<string, string>();
  let github: LocalGitHub;
  let runner: Runner;
  let registry: Registry;
  let images: StackImages;
  let key: { readonly private: string; readonly public: string };

  const git = async (...args: readonly string[]) => (await run("git", ["-C", commit, ...args])).stdout.trim();
  const autollm = (args: readonly string[], input?: string) =>
    run("./autollm", args, {
      cwd: commit,
      env: { ...backend, CI: "true", PULUMI_COLOR: "never", NO_COLOR: "1" },
      ...(input === undefined ? {} : { input }),
    });
  const remote = () => join(home, "remote");
  /** Commits what was changed, and pushes the branch to GitHub. */
  const push = async (message: string): Promise<string> => {
    await git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--all", "-m", message);
    await git("push", "--quiet", remote(), "HEAD");
    return git("rev-parse", "HEAD");
  };
  const pushed = (branch: string, file: string) => run("git", ["-C", remote(), "show", `${branch}:${file}`]);
  const configOf = (file: string) =>
    (parse(readFileSync(inCommit(file), "utf8")) as { config: Record<string, unknown> }).config;
  const configure = (file: string, values: Readonly<Record<string, unknown>>) => {
    const stackFile = new StackFile(inCommit(file));
    for (const [name, value] of Object.entries(values)) stackFile.set(name, value);
    stackFile.save();
  };

  let count = 0;
  const workflow = async (name: string, event: RunRequest["event"], more: Partial<RunRequest> = {}) => {
    count += 1;
    const result = await runner.run({
      workflow: name,
      event,
      commit,
      runId: String(count),
      vars: { PULUMI_ORGANIZATION: ORGANIZATION, PULUMI_READ_TEAM: READ_TEAM, DEPLOY_PUBLIC_KEY: key.public },
      secrets: { DEPLOY_SSH_KEY: key.private, SLACK_WEBHOOK_URL: github.slackUrl },
      ...more,
    });
    runs.push(result);
    return result;
  };
  const outputOf = ({ steps }: WorkflowRun, where: string, text: string, matrix: object = {}) => {
    const list = allSteps().find((each) => each.where === where)?.steps ?? [];
    const index = list.findIndex((step) => titleOf(step).includes(text));
    return steps.find(
      (step) => step.where === where && step.index === index && JSON.stringify(step.matrix) === JSON.stringify(matrix),
    );
  };
  const pullRequest = (head: string = REPOSITORY) => ({
    number: PULL_REQUEST,
    pull_request: { number: PULL_REQUEST, head: { ref: "change", repo: { full_name: head } }, base: { ref: "main" } },
  });

  beforeAll(async () => {
    const others = await docker("ps", "--all", "--quiet", "--filter", "label=autollm.stack=staging");
    expect(others, "a stack of that name runs on this machine already").toBe("");
    images = await buildStackImages();
    github = await startGitHub(REPOSITORY);
    registry = await startRegistry({ user: registryUser, password: registryPassword, asks: "basic" });
    symlinkSync(await github.addRepository(REPOSITORY), remote());
    writeFileSync(
      join(github.standIns, "backend.env"),
      Object.entries(backend)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    mkdirSync(join(home, "state"));
    await run("git", ["clone", "--quiet", root, commit]);
    await git("checkout", "--quiet", "-B", "main");
    // What is run is known by its origin; it is pushed to by its folder.
    await git("remote", "set-url", "origin", `https://github.com/${REPOSITORY}`);
    await git("push", "--quiet", remote(), "main");
    symlinkSync(join(root, "node_modules"), inCommit("node_modules"));
    const file = join(home, "key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "deployer", "-f", file]);
    key = { private: readFileSync(file, "utf8").trim(), public: readFileSync(`${file}.pub`, "utf8").trim() };
    mkdirSync(join(home, "runners"));
    runner = await startRunner(github, join(home, "runners"));
  });
  afterAll(async () => {
    await autollm(["pulumi", "destroy", "--stack", "staging", "--yes"]).catch(() => undefined);
    const tags = await docker("images", "--format", "{{.Repository}}:{{.Tag}}", `${registry?.address}/*`);
    if (tags !== "") await run("docker", ["rmi", ...tags.split("\n")], { allowFailure: true });
    await registry?.stop();
    await github?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  test("ci passes", async () => {
    const { ok, log } = await workflow("ci", "push");
    expect(ok, log).toBe(true);
  });

  test("security looks at secrets, packages and a pull request's dependencies", async () => {
    for (const job of ["secrets", "packages", "dependencies"]) {
      const { ok, log } = await workflow("security", "pull_request", { job, payload: pullRequest() });
      expect(ok, log).toBe(true);
    }
    const trivy = await workflow("security", "push", { job: "trivy" });
    expect(trivy.ok).toBe(false);
    expect(outputOf(trivy, "security/trivy", "scan config")).toMatchObject({ ok: true });
    expect(outputOf(trivy, "security/trivy", "docker login ghcr.io"), trivy.log).toMatchObject({ ok: false });
  });

  test("images builds, signs and proposes what the application's branch contains", async () => {
    const { repository, dockerfiles, ref } = await application();
    expect(repository).toBe("bobplanket/Bototo");
    const sha = await git("rev-parse", "HEAD");
    if (images.source === "local") await publishOwn(sha);
    const services = ["gateway-api", "risk-manager"];
    const result = await workflow("images", "workflow_dispatch", {
      builds: true,
      inputs: { ref },
      payload: { inputs: { ref } },
      matrix: { service: services },
      vars: { IMAGE_REGISTRY: registry.address, IMAGE_REGISTRY_USER: registryUser },
      secrets: { IMAGE_REGISTRY_PASSWORD: registryPassword },
    });
    expect(result.ok, result.log).toBe(true);
    expect(dockerfiles).toHaveLength(serviceNames.length);
    const proposed = parse((await pushed(`release-${ref.slice(0, 12)}`, STAGING)).stdout) as {
      config: Record<string, { image?: string }> & { "autollm:release": Record<string, object> };
    };
    const digest = (image: string) =>
      expect.stringMatching(new RegExp(`^${registry.address}/${image}@sha256:[0-9a-f]{64}$`));
    const release = proposed.config["autollm:release"];
    expect(Object.keys(release).sort()).toEqual(services);
    const inspected = await docker("image", "inspect", "--format", "{{json .Config}}", images.built.reference ?? "");
    const { Entrypoint: entrypoint, Cmd: command } = JSON.parse(inspected) as Record<string, readonly string[] | null>;
    for (const service of services)
      expect(release[service]).toEqual({
        image: digest(service),
        recorded: { entrypoint: entrypoint ?? [], command: command ?? [] },
      });
    expect(proposed.config["autollm:backup"]?.image).toEqual(digest("backup"));
    expect(proposed.config["autollm:edge"]?.image).toEqual(digest("edge-sockets"));
    const signed = readFileSync(join(github.standIns, "signed"), "utf8").trim().split("\n");
    expect(signed).toHaveLength(services.length + 2);
  });

  test("images takes no commit that is not in the application's branch", async () => {
    const ref = "0".repeat(40);
    const result = await workflow("images", "workflow_dispatch", {
      builds: true,
      inputs: { ref },
      payload: { inputs: { ref } },
      matrix: { service: ["risk-manager"] },
      job: "build",
    });
    expect(result.ok).toBe(false);
    expect(result.log).toContain(`${ref} is not in the branch main of the application`);
  });

  test("preview of a pull request comments on both stacks, without a key", async () => {
    await git("checkout", "--quiet", "-b", "change");
    await makeStacks();
    await push("Staging on this machine, production on a host");
    const result = await workflow("preview", "pull_request", { payload: pullRequest() });
    expect(result.ok, result.log).toBe(true);
    expect(github.comments).toHaveLength(1);
    const [{ body = "" } = {}] = github.comments;
    expect(body.startsWith(MARKER)).toBe(true);
    expect(body).toMatch(/### staging: \+ \d+ to create/);
    expect(body).toMatch(/### production: \+ \d+ to create/);
  });

  test("preview runs nothing of a fork", async () => {
    const result = await workflow("preview", "pull_request", { payload: pullRequest("mallory/trader-stack") });
    expect(result.steps, result.log).toEqual([]);
    expect(result.ok).toBe(true);
  });

  test("deploy-staging brings main up, and its smoke tests pass", async () => {
    await merge();
    const result = await workflow("deploy-staging", "push");
    expect(result.ok, result.log).toBe(true);
    expect(github.slack).toEqual(["staging: deployed, smoke tests passed."]);
  });

  test("drift finds none in staging, and tells that production cannot be asked", async () => {
    github.slack.length = 0;
    const result = await workflow("drift", "schedule");
    expect(result.ok).toBe(false);
    expect(outputOf(result, "drift/drift", "autollm drift", { stack: "staging" })).toMatchObject({
      ok: true,
      output: expect.stringContaining("nothing differs from what was declared"),
    });
    expect(outputOf(result, "drift/drift", "autollm drift", { stack: "production" })).toMatchObject({
      ok: false,
      output: expect.stringContaining("cannot be asked"),
    });
    expect(github.slack).toEqual([`production has drifted, or could not be looked at; see the run ${count}`]);
  });

  test("rotate proposes nothing while nothing is due, and then what is", async () => {
    const branch = `rotate-${new Date().toISOString().slice(0, 7)}`;
    const young = await workflow("rotate", "schedule");
    expect(young.ok, young.log).toBe(true);
    expect(outputOf(young, "rotate/propose", "propose.sh")?.output).toContain("nothing changed: nothing to propose");

    await age("redis-reporter");
    const old = await workflow("rotate", "schedule");
    expect(old.ok, old.log).toBe(true);
    const before = configOf(STAGING);
    const proposed = parse((await pushed(branch, STAGING)).stdout) as { config: Record<string, unknown> };
    expect(proposed.config).toEqual({ ...before, "autollm:generation": { "redis-reporter": 2 } });
    expect((await pushed(branch, PRODUCTION)).stdout).toBe(readFileSync(inCommit(PRODUCTION), "utf8"));
  });

  test("preview updates its comment", async () => {
    await git("checkout", "--quiet", "-B", "change");
    release(await gateway("2"), OPEN_GATEWAY);
    await push("A gateway that shows everybody everything");
    const result = await workflow("preview", "pull_request", { payload: pullRequest() });
    expect(result.ok, result.log).toBe(true);
    expect(github.comments).toHaveLength(1);
    expect(github.comments[0]?.body).toMatch(/### staging: .*unchanged/);
  });

  test("deploy-staging takes a release back whose smoke tests fail", async () => {
    github.slack.length = 0;
    await merge();
    const result = await workflow("deploy-staging", "push");
    expect(result.ok).toBe(false);
    expect(github.slack, result.log).toEqual([
      "staging: the deployment FAILED; the images of the last good one run again, and their smoke tests pass.",
      `deploy-staging has failed; see the run ${count}`,
    ]);
    const filters = ["--filter", "label=autollm.stack=staging", "--filter", "label=autollm.service=gateway-api"];
    const image = await docker("ps", ...filters, "--format", '{{.Label "autollm.image"}}');
    expect(image).toBe(await gateway("1"));
  });

  test("deploy-production wants two people, neither of whom has started it", async () => {
    github.slack.length = 0;
    const approved = (...logins: readonly string[]) =>
      github.approvals.set(
        String(count + 1),
        logins.map((login) => ({ state: "approved", user: { login } })),
      );
    for (const logins of [["ada"], ["ada", "ada"], ["ada", "carl"]]) {
      approved(...logins);
      const refused = await workflow("deploy-production", "workflow_dispatch", { actor: "carl" });
      expect(refused.ok, refused.log).toBe(false);
      expect(refused.steps.filter(({ where }) => where === "deploy-production/deploy")).toHaveLength(1);
    }
    approved("ada", "bob");
    const result = await workflow("deploy-production", "workflow_dispatch", { actor: "carl" });
    // It gets as far as production's host, which there is none.
    expect(result.ok).toBe(false);
    expect(outputOf(result, "deploy-production/deploy", "autollm deploy")).toMatchObject({
      ok: false,
      output: expect.stringContaining("cannot be reached"),
    });
    expect(github.slack).toEqual([`deploy-production has failed; see the run ${count}`]);
  });

  test("have been run whole", () => {
    const ran = new Set(runs.flatMap(({ steps }) => steps.map(({ where, index }) => `${where}#${index}`)));
    const left = allSteps().flatMap(({ where, steps }) =>
      steps.flatMap((step, index) => (ran.has(`${where}#${index}`) ? [] : [`${where}: ${titleOf(step)}`])),
    );
    const known = Object.keys(LEFT_OUT);
    expect(left.filter((step) => !known.some((each) => step.startsWith(each)))).toEqual([]);
    expect(known.filter((each) => !left.some((step) => step.startsWith(each)))).toEqual([]);
  });

  /** The application's repository on GitHub, with a Dockerfile for each service. */
  async function application() {
    const plan = await run("node", ["tools/github/imagePlan.ts", "--stack", "staging"], { cwd: commit });
    const [, repository = ""] = /^repository=(.*)$/m.exec(plan.stdout) ?? [];
    const [, planned = "[]"] = /^images=(.*)$/m.exec(plan.stdout) ?? [];
    const dockerfiles = (JSON.parse(planned) as { dockerfile: string }[]).map(({ dockerfile }) => dockerfile);
    const path = await github.addRepository(repository);
    const source = join(home, "application");
    await run("git", ["init", "--quiet", "--initial-branch", "main", source]);
    for (const [index, dockerfile] of dockerfiles.entries()) {
      mkdirSync(join(source, dockerfile, ".."), { recursive: true });
      writeFileSync(join(source, dockerfile), `FROM ${images.built.reference}\nLABEL number=${index}\n`);
    }
    const inSource = async (...args: readonly string[]) => (await run("git", ["-C", source, ...args])).stdout.trim();
    await inSource("add", "--all");
    await inSource("-c", "user.name=Bob", "-c", "user.email=bob@example.com", "commit", "--quiet", "-m", "Services");
    await inSource("push", "--quiet", path, "main");
    return { repository, dockerfiles, ref: await inSource("rev-parse", "HEAD") };
  }

  /**
   * Puts our own images into the registry, under the names that the workflow looks for first: they stand on official ones, which
   * this machine does not reach.
   */
  async function publishOwn(sha: string): Promise<void> {
    const context = await run("node", ["tools/bootstrap/images/context.ts", "edge-sockets", join(home, "context")], {
      cwd: commit,
    });
    await registry.tag(images.built.backup ?? "", `backup:${sha}`);
    await registry.tag(images.built["edge-sockets"] ?? "", `edge-sockets:${context.stdout.trim()}`);
  }

  /** The gateway's image in a version, by digest. */
  async function gateway(version: string): Promise<string> {
    const image = gateways.get(version) ?? (await registry.push(images.built.reference ?? "", "gateway-api", version));
    gateways.set(version, image);
    return image;
  }
  function release(image: string, command: readonly string[]): void {
    configure(STAGING, { release: { "gateway-api": { image, command } } });
  }

  /** Makes both stacks, and the config of a staging that runs here and a production that is on a host. */
  async function makeStacks(): Promise<void> {
    for (const stack of ["staging", "production"]) await autollm(["pulumi", "stack", "init", stack, "--no-select"]);
    const path = inCommit(STAGING);
    const { encryptionsalt } = parse(readFileSync(path, "utf8")) as { encryptionsalt: string };
    writeFileSync(path, stringify({ encryptionsalt, config: { "autollm:environment": "local" } }));
    configure(STAGING, {
      httpPort: await freePort(),
      httpsPort: await freePort(),
      imageSource: images.source,
      localImages: images.built,
      filesDir: join(home, "files"),
      registries: { [registry.address]: { user: registryUser } },
    });
    release(await gateway("1"), STAND_IN_COMMAND);
    await secret("staging", `registries["${registry.address}"].password`, registryPassword);
    const image = (name: string) => `registry.example/${name}@sha256:${randomBytes(32).toString("hex")}`;
    const host = readFileSync(join(home, "key.pub"), "utf8").split(" ").slice(0, 2).join(" ");
    configure(PRODUCTION, {
      release: Object.fromEntries(serviceNames.map((name) => [name, { image: image(name) }])),
      backup: { image: image("backup") },
      edge: { image: image("edge-sockets") },
      // Nobody answers there.
      host: { address: "127.0.0.1", port: await freePort(), firstPort: await freePort(), hostKey: host },
    });
    for (const name of ["tws-userid", "tws-password"]) await secret("production", name, randomText(24));
  }
  async function secret(stack: string, name: string, value: string): Promise<void> {
    await autollm(["pulumi", "config", "set", "--secret", "--path", name, "--stack", stack], value);
  }

  /** Merges the pull request. */
  async function merge(): Promise<void> {
    await git("checkout", "--quiet", "-B", "main");
    await git("push", "--quiet", remote(), "HEAD");
  }

  /** Makes a credential's value look as if it had been made two years ago. */
  async function age(credential: string): Promise<void> {
    const { stdout } = await autollm(["pulumi", "stack", "export", "--stack", "staging"]);
    const state = JSON.parse(stdout) as { deployment: { resources: { urn: string; created?: string }[] } };
    const found = state.deployment.resources.filter(({ urn }) => urn.endsWith(`::${credential}`));
    expect(found.length).toBeGreaterThan(0);
    for (const resource of found) resource.created = new Date(Date.now() - 730 * 24 * 3600 * 1000).toISOString();
    const file = join(home, "state.json");
    writeFileSync(file, JSON.stringify(state));
    await autollm(["pulumi", "stack", "import", "--stack", "staging", "--file", file]);
  }
});
