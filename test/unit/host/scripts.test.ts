import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { contactScript } from "../../../components/host/contact.ts";
import { sshCommand } from "../../../components/host/login.ts";
import { contactOnHost, stepOnHost, undoOnHost } from "../../../components/host/reach.ts";
import { applyScript, checkScript, undoScript } from "../../../components/host/scripts.ts";
import { inOrder, type Step } from "../../../components/host/step.ts";
import { hostSteps } from "../../../components/host/steps/index.ts";
import { options } from "./options.ts";

const login = {
  address: "192.0.2.7",
  port: 2222,
  user: "deployer",
  hostKey: "ssh-ed25519 CCCC",
  privateKeyPath: "~/.ssh/id",
};
const steps = hostSteps(options);
const installed = (program: string) => spawnSync("which", [program]).status === 0;

const scripts: readonly (readonly [string, string])[] = [
  ...steps.flatMap((step) => [
    [`${step.name}: apply`, applyScript(step)] as const,
    [`${step.name}: check`, checkScript(step)] as const,
    [`${step.name}: undo`, undoScript(step)] as const,
    [`${step.name}: undo on this machine`, undoOnHost(step, login, 22)] as const,
  ]),
  ...steps.map((step) => [`${step.name}: on this machine`, stepOnHost(step, login, 22)] as const),
  ...steps
    .flatMap(({ files = [] }) => files)
    .filter(({ content }) => content.startsWith("#!/bin/sh"))
    .map(({ path, content }) => [path, content] as const),
  ["contact", contactScript(options.deployerKeys)],
  ["contact: on this machine", contactOnHost(login, "root", 22, contactScript(options.deployerKeys))],
];

describe("the scripts", () => {
  test.each(scripts)("%s is a script that sh can read", (_, text) => {
    const { status, stderr } = spawnSync("sh", ["-n"], { input: text, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test.runIf(installed("shellcheck")).each(scripts)("%s has no fault that shellcheck knows", (_, text) => {
    // 2015, 2086: `a && b || c` where c is a fault, and words of ours that are to be split.
    const args = ["--shell=sh", "--severity=warning", "-"];
    const { status, stdout } = spawnSync("shellcheck", args, { input: text, encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test("a change of one step's content changes no other step's script", () => {
    const changed = hostSteps({ ...options, trustedNetworks: [] });
    const differing = steps.filter((step, index) => {
      const other = changed[index];
      return other === undefined || applyScript(step) !== applyScript(other);
    });
    expect(differing.map(({ name }) => name).sort()).toEqual(["bans", "edge-bans", "firewall"]);
  });

  test("only what could lock everybody out is proven by a second connection", () => {
    expect(steps.filter((step) => step.proven).map(({ name }) => name)).toEqual(["accounts", "ssh", "firewall"]);
  });
});

describe("the order of steps", () => {
  test("each comes after those that it needs", () => {
    for (const [index, step] of steps.entries()) {
      const before = steps.slice(0, index).map(({ name }) => name);
      expect(step.after.filter((name) => !before.includes(name))).toEqual([]);
    }
  });

  test("every step says what it does, and no file belongs to two", () => {
    const paths = steps.flatMap((step) => (step.files ?? []).map(({ path }) => path));
    expect(new Set(paths).size).toBe(paths.length);
    for (const { purpose } of steps) expect(purpose.length).toBeGreaterThan(10);
  });

  test("a circle, and a step that there is not, are refused", () => {
    const step = (name: string, ...after: string[]): Step => ({ name, purpose: "nothing", after });
    expect(() => inOrder([step("a", "b"), step("b", "a")])).toThrow("a -> b -> a");
    expect(() => inOrder([step("a", "c")])).toThrow("a needs c");
  });
});

describe("a step that could lock everybody out", () => {
  const local = (name: string) => {
    const step = steps.find((each) => each.name === name);
    if (step === undefined) throw new Error(`no step ${name}`);
    return stepOnHost(step, login, 22);
  };

  test("is confirmed on the wanted port where sshd has moved, else by the way that there is", () => {
    for (const name of ["ssh", "firewall"]) expect(local(name)).toContain("if way_0 'sudo -n sh -c");
    expect(local("accounts")).toContain("if way 'sudo -n sh -c");
  });

  test("refuses a system account before it changes anything", () => {
    const script = applyScript(steps.find(({ name }) => name === "accounts") as Step);
    expect(script.indexOf("is a system account")).toBeGreaterThan(0);
    expect(script.indexOf("is a system account")).toBeLessThan(script.indexOf("useradd"));
  });
});

describe("the SSH command line", () => {
  test("pins the host key, and asks nothing", () => {
    const line = sshCommand(login);
    expect(line).toContain("'KnownHostsCommand=/bin/echo %H ssh-ed25519 CCCC'");
    for (const option of [
      "StrictHostKeyChecking=yes",
      "BatchMode=yes",
      "IdentitiesOnly=yes",
      "HostKeyAlgorithms=ssh-ed25519",
    ])
      expect(line).toContain(option);
  });
});
