import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isUnknown, unknownInputs } from "../../tools/bootstrap/engine/differences.ts";
import { type Engine, ensureEngine } from "../../tools/bootstrap/engine/engine.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { pluginInputs, type Schema, sdkInputs } from "./lib/inputs.ts";

const PROGRAM = `
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import * as tls from "@pulumi/tls";

const config = new pulumi.Config();
const generation = config.get("generation") ?? "1";
const password = new random.RandomPassword("password", { length: 32, special: false, keepers: { generation } });
const key = new tls.PrivateKey("key", { algorithm: "ED25519" }, { replacementTrigger: generation });
new command.local.Command("file", {
  create: "cat > secret.txt",
  delete: "rm secret.txt",
  stdin: password.result,
  triggers: [generation],
  dir: config.require("dir"),
}, { deleteBeforeReplace: true });
const files = new command.local.Command("files", {
  create: "echo one > made.txt",
  update: "echo two > made.txt; echo $PULUMI_COMMAND_STDOUT",
  environment: { MARK: config.get("mark") ?? "" },
  dir: config.require("dir"),
  assetPaths: ["made.*", "!*.log"],
});
if (config.get("fail")) new command.local.Command("fails", { create: "echo told >&2; exit 7", logging: "none" });
export const value = password.result;
export const publicKey = key.publicKeyOpenssh;
export const made = files.assets.apply((assets) => Object.keys(assets ?? {}));
export const sum = command.local.runOutput({ command: "echo $((1 + 1))" }).stdout;
export const nodeArguments = process.execArgv;
`;

const POLICY = `
import { PolicyPack, validateResourceOfType } from "@pulumi/policy";
import { RandomPassword } from "@pulumi/random";
new PolicyPack("strict", { policies: [{
  name: "long-passwords", description: "long", enforcementLevel: "mandatory",
  validateResource: validateResourceOfType(RandomPassword, (args, _, report) => { if (args.length < 40) report("too short"); }),
}] });
`;

describe("the engine", () => {
  let engine: Engine;
  let folder: string;

  beforeAll(async () => {
    engine = await ensureEngine();
    folder = mkdtempSync(join(tmpdir(), "autollm-engine-"));
    const project = {
      name: "small",
      runtime: { name: "nodejs", options: { typescript: false, nodeargs: "--no-deprecation" } },
    };
    writeFileSync(join(folder, "Pulumi.yaml"), JSON.stringify(project));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "small", type: "module", main: "index.js" }));
    writeFileSync(join(folder, "index.js"), PROGRAM);
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    mkdirSync(join(folder, "state"));
    mkdirSync(join(folder, "world"));
    await pulumi("stack", "init", "small");
    await pulumi("config", "set", "dir", join(folder, "world"));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function attempt(...args: readonly string[]) {
    const env = {
      ...engine.env,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "for this test",
      NO_COLOR: "1",
    };
    return run(engine.pulumi, [...args, "--non-interactive"], { cwd: folder, env, allowFailure: true });
  }

  async function pulumi(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await attempt(...args);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout + stderr).not.toMatch(/warning|ambient|plugin/i);
    return stdout;
  }

  const world = () => join(folder, "world", "secret.txt");

  test("preview changes nothing", async () => {
    await pulumi("preview");
    expect(existsSync(world())).toBe(false);
  });

  test("up makes what the program says, and the outputs that hold a secret are secret", async () => {
    const stdout = await pulumi("up", "--yes");
    expect(stdout).toContain("[secret]");
    const value = (await pulumi("stack", "output", "value", "--show-secrets")).trim();
    expect(value).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(readFileSync(world(), "utf8")).toBe(value);
    expect(readFileSync(join(folder, "state", ".pulumi", "stacks", "small", "small.json"), "utf8")).not.toContain(
      value,
    );
  });

  test("a program gets its options, invokes functions and sees what scripts made", async () => {
    expect(JSON.parse(await pulumi("stack", "output", "--json"))).toMatchObject({
      made: ["made.txt"],
      sum: "2",
      nodeArguments: expect.arrayContaining(["--no-deprecation"]),
    });
  });

  test("what a script prints of a secret stays secret, and is not shown while it runs", async () => {
    const state = JSON.parse(await pulumi("stack", "export")) as {
      deployment: { resources: { urn: string; outputs?: Record<string, unknown> }[] };
    };
    const { outputs } = state.deployment.resources.find(({ urn }) => urn.endsWith("::file")) ?? {};
    expect(outputs?.stdout).toHaveProperty("ciphertext");
  });

  test("a second up and a refresh change nothing", async () => {
    await pulumi("up", "--yes", "--expect-no-changes");
    await pulumi("refresh", "--yes", "--expect-no-changes");
  });

  test("a changed input runs update, in place", async () => {
    await pulumi("config", "set", "mark", "changed");
    expect(await pulumi("up", "--yes")).toMatch(/~ 1 updated/);
    expect(readFileSync(join(folder, "world", "made.txt"), "utf8")).toBe("two\n");
  });

  test("a raised generation makes a new password and a new key, and the old file goes before the new one comes", async () => {
    const before = [
      await pulumi("stack", "output", "value", "--show-secrets"),
      await pulumi("stack", "output", "publicKey"),
    ];
    await pulumi("config", "set", "generation", "2");
    await pulumi("up", "--yes");
    const after = [
      await pulumi("stack", "output", "value", "--show-secrets"),
      await pulumi("stack", "output", "publicKey"),
    ];
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(readFileSync(world(), "utf8")).toBe(after[0]?.trim());
  });

  test("a failing command fails the up, with the program's own words", async () => {
    await pulumi("config", "set", "fail", "yes");
    const { code, stdout } = await attempt("up", "--yes");
    expect(code).not.toBe(0);
    expect(stdout).toContain("told");
    await pulumi("config", "rm", "fail");
    await pulumi("up", "--yes");
  });

  test("a policy pack written for Node stops an up before anything changes", async () => {
    const pack = join(folder, "pack");
    mkdirSync(pack);
    writeFileSync(
      join(pack, "PulumiPolicy.yaml"),
      JSON.stringify({ runtime: { name: "nodejs", options: { typescript: false } }, main: "index.js" }),
    );
    writeFileSync(
      join(pack, "package.json"),
      JSON.stringify({ name: "pack", version: "1.0.0", type: "module", main: "index.js" }),
    );
    writeFileSync(join(pack, "index.js"), POLICY);
    const before = await pulumi("stack", "output", "value", "--show-secrets");
    await pulumi("config", "set", "generation", "3");
    const { code, stdout } = await attempt("up", "--yes", "--policy-pack", pack);
    expect(code).not.toBe(0);
    expect(stdout).toContain("too short");
    expect(await pulumi("stack", "output", "value", "--show-secrets")).toBe(before);
  });

  test("destroy removes all of it", async () => {
    await pulumi("destroy", "--yes");
    expect(existsSync(world())).toBe(false);
  });
});

describe("the plugins", () => {
  let engine: Engine;
  const schemas = new Map<string, Schema>();

  beforeAll(async () => {
    engine = await ensureEngine();
    for (const plugin of ["random", "tls", "docker", "command"]) {
      const { stdout } = await run(engine.pulumi, ["package", "get-schema", plugin], { env: engine.env });
      schemas.set(plugin, JSON.parse(stdout) as Schema);
    }
  });

  const resources: readonly (readonly [plugin: string, declaration: string, name: string, type: string])[] = [
    ["random", "randomPassword", "RandomPassword", "random:index/randomPassword:RandomPassword"],
    ["random", "randomBytes", "RandomBytes", "random:index/randomBytes:RandomBytes"],
    ["random", "randomId", "RandomId", "random:index/randomId:RandomId"],
    ["tls", "privateKey", "PrivateKey", "tls:index/privateKey:PrivateKey"],
    ["tls", "selfSignedCert", "SelfSignedCert", "tls:index/selfSignedCert:SelfSignedCert"],
    ["tls", "certRequest", "CertRequest", "tls:index/certRequest:CertRequest"],
    ["tls", "locallySignedCert", "LocallySignedCert", "tls:index/locallySignedCert:LocallySignedCert"],
    ["docker", "provider", "Provider", "pulumi:providers:docker"],
    ["docker", "container", "Container", "docker:index/container:Container"],
    ["docker", "network", "Network", "docker:index/network:Network"],
    ["docker", "volume", "Volume", "docker:index/volume:Volume"],
    ["docker", "remoteImage", "RemoteImage", "docker:index/remoteImage:RemoteImage"],
    ["command", "local/command", "Command", "command:local:Command"],
    ["command", "remote/command", "Command", "command:remote:Command"],
    ["command", "remote/copyToRemote", "CopyToRemote", "command:remote:CopyToRemote"],
  ];

  test.each(resources)(
    "%s: %s has the npm package's inputs, but for those that are written down",
    (plugin, declaration, name, type) => {
      const schema = schemas.get(plugin);
      if (schema === undefined) throw new Error(`there is no schema of ${plugin}`);
      const given = sdkInputs(join(root, "node_modules", "@pulumi", plugin), `${declaration}.d.ts`, name);
      const known = pluginInputs(schema, type);
      expect(given.length).toBeGreaterThan(1);
      const missing = given.filter((path) => !known.includes(path) && !isUnknown(type, path));
      expect(missing).toEqual([]);
      // The other way round only for what we build: an official plugin knows them all.
      if (engine.origin === "built")
        for (const path of unknownInputs[type] ?? []) {
          expect(given, `${path} is an input of the npm package`).toContain(path);
          if (path !== "build") expect(known, `${path} is known after all`).not.toContain(path);
        }
    },
  );
});
