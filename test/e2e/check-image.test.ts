import { spawn } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import type { Row } from "../../tools/checkImage/judge.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { goImage, startedBy } from "./lib/checkedImages.ts";
import { eventually } from "./lib/http.ts";
import { pythonApplication } from "./lib/python.ts";
import { startRegistry } from "./lib/registry.ts";
import { docker } from "./lib/stack.ts";

const SERVICE = "portfolio-ledger";

interface Report {
  readonly code: number;
  readonly ok: boolean;
  readonly checks: readonly Row[];
  readonly said: string;
}

const npm = (...args: readonly string[]) =>
  run("./autollm", ["check-image", ...args], { cwd: root, allowFailure: true });

async function checked(service: string, image: string, ...more: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await npm(service, image, "--json", ...more);
  const report = JSON.parse(stdout === "" ? '{"ok": false, "checks": []}' : stdout) as Pick<Report, "ok" | "checks">;
  return { code, ...report, said: stdout + stderr };
}

const row = ({ checks }: Report, check: string) => checks.find((each) => each.check === check);
const shortOf = ({ checks }: Report) => checks.filter(({ outcome }) => outcome === "short").map(({ check }) => check);
/** What checks have left behind on this machine. */
const left = async () =>
  [
    await docker("ps", "--all", "--quiet", "--filter", "name=^check-"),
    await docker("network", "ls", "--quiet", "--filter", "name=^check-"),
  ].join("");

describe("./autollm check-image", () => {
  let reference: string;
  beforeAll(async () => {
    reference = (await ensureImages(["reference"])).reference;
  });

  test.each(["portfolio-ledger", "gateway-api", "backtest-engine"])(
    "finds nothing short of the reference image as %s",
    async (service) => {
      const report = await checked(service, reference);
      expect(shortOf(report), report.said).toEqual([]);
      expect(report).toMatchObject({ code: 0, ok: true });
      if (service !== "backtest-engine") expect(row(report, "nats")?.detail).toContain("TLS");
    },
  );

  test.each(["portfolio-ledger", "risk-manager", "llm-agents", "execution-crypto"])(
    "finds what the Python application lacks as %s and no more: the metrics of our rules",
    async (service) => {
      const report = await checked(service, await pythonApplication(), "--application", "autollm");
      expect(shortOf(report), report.said).toEqual(["metrics"]);
      expect(row(report, "metrics")?.detail).toContain("dependency_up, nats_messages_total");
      expect(report.code).toBe(2);
    },
  );

  test("finds where the Python ledger writes, if nobody told the stack", async () => {
    const image = await pythonApplication();
    const command = ["python", "-m", "apps.portfolio_ledger.src.main"];
    const report = await checked(SERVICE, image, "--release", JSON.stringify({ command }));
    expect(row(report, "starts"), report.said).toMatchObject({ outcome: "short" });
    expect(row(report, "writes")?.detail).toContain("/app/data");
    expect(row(report, "writes")?.fix).toContain(`release.${SERVICE}.writable./app`);
    expect(report.code).toBe(2);
  });

  test("finds no subject that NATS refuses the Python gateway, which its application's table grants its stream and inbox", async () => {
    const report = await checked("gateway-api", await pythonApplication(), "--application", "autollm");
    for (const check of ["starts", "listens", "nats"]) expect(row(report, check)?.outcome, report.said).toBe("ok");
    expect(row(report, "subjects"), report.said).toBeUndefined();
  });

  test("finds the stream and the inbox that NATS refuses a gateway whose entry does not ask for them", async () => {
    const release = JSON.stringify({ messaging: { inbox: "own", streams: [] } });
    const image = await pythonApplication();
    const report = await checked("gateway-api", image, "--application", "autollm", "--release", release);
    expect(row(report, "subjects")?.detail, report.said).toContain(
      "subscribe to _INBOX.>, publish to $JS.API.STREAM.CREATE.INTENTS",
    );
    expect(report.code).toBe(2);
  });

  test("says in one line that a static program without a shell cannot be started", async () => {
    const image = await goImage();
    const report = await checked(SERVICE, image);
    expect(report.checks).toHaveLength(1);
    expect(row(report, "starts")?.detail).toContain(`its image ${image} does not run /bin/sh as user`);
    expect(report.code).toBe(2);
  });

  test("says how long a slow program takes, and how much a large one", async () => {
    const slow = await checked(SERVICE, await startedBy("slow", reference, "sleep 60; exec node /app/reference.mjs"));
    expect(shortOf(slow), slow.said).toEqual(["health"]);
    expect(row(slow, "health")?.detail).toMatch(/^it is healthy after (6|7)\d s/);
    expect(row(slow, "health")?.fix).toBe(`release.${SERVICE}.startPeriod: 120`);
    // As a Java virtual machine is: hundreds of MiB, whatever it has to do.
    const large = `exec node -e "globalThis.heap = Buffer.alloc(600 << 20, 1); import('/app/reference.mjs')"`;
    const report = await checked(SERVICE, await startedBy("large", reference, large));
    expect(row(report, "starts")?.detail, report.said).toMatch(
      /ran out of memory at its limit of 256 MiB; if it may, it takes 6\d\d MiB/,
    );
    const [, memory = "0"] = /memory: (\d+)/.exec(row(report, "starts")?.fix ?? "") ?? [];
    const more = ["--release", JSON.stringify({ memory: Number(memory) })];
    const roomy = await checked(SERVICE, await startedBy("large", reference, large), ...more);
    expect(shortOf(roomy), roomy.said).toEqual([]);
  });

  test("fetches an image that is named by its digest from its registry, or says in one line why not", async () => {
    const registry = await startRegistry();
    try {
      const pinned = await registry.push(reference, "backtest-engine", "1");
      await docker("rmi", "--force", pinned, pinned.replace(/@.*/, ":1"));
      const report = await checked("backtest-engine", pinned);
      expect(report.code, report.said).toBe(0);
    } finally {
      await registry.stop();
    }
    const none = await npm("backtest-engine", `127.0.0.1:1/none@sha256:${"0a".repeat(32)}`);
    expect(none.code).toBe(64);
    expect(none.stderr).toMatch(/error: .* is not here, and was not fetched from its registry: .*\n/);
  });

  test("finds a program that takes no notice of SIGTERM", async () => {
    const line = "trap '' TERM; node /app/reference.mjs & while :; do sleep 1; done";
    const report = await checked(SERVICE, await startedBy("deaf", reference, line));
    expect(shortOf(report), report.said).toEqual(["stops"]);
    expect(report.code).toBe(2);
  });

  test("finds a program that logs plain text", async () => {
    const line = "echo 'INFO: started'; exec node /app/reference.mjs";
    const report = await checked(SERVICE, await startedBy("plain-log", reference, line));
    expect(shortOf(report), report.said).toEqual(["logs"]);
    expect(row(report, "logs")?.detail).toContain("INFO: started");
  });

  test("finds a program that logs its password, and does not show it", async () => {
    const line = `printf '{"level":"info","message":"%s"}\\n' "$NATS_URL"; exec node /app/reference.mjs`;
    const report = await checked(SERVICE, await startedBy("talkative", reference, line));
    expect(shortOf(report), report.said).toEqual(["secrets"]);
    expect(row(report, "secrets")?.detail).toContain("NATS_PASSWORD");
  });

  test("prints a table for people", async () => {
    const { code, stdout } = await npm(SERVICE, await goImage());
    expect(stdout).toMatch(/^starts {4}short {4}portfolio-ledger: its image .*\n {10}fix: /);
    expect(code).toBe(2);
  });

  test.each([
    ["no image", [SERVICE]],
    ["an unknown service", ["ledger", "x"]],
    ["an image that is not there", [SERVICE, "autollm.test/none:1"]],
    ["an unknown application", [SERVICE, "x", "--application", "none"]],
    ["no JSON", [SERVICE, "x", "--release", "{"]],
  ])("ends with 64 for %s", async (_, args) => {
    expect((await npm(...args)).code).toBe(64);
  });

  test("ends with 64 for a release that the config would refuse, in its words", async () => {
    const { code, stderr } = await npm(SERVICE, reference, "--release", '{"memory": 1}');
    expect(stderr).toContain(`release.${SERVICE}.memory`);
    expect(code).toBe(64);
  });

  test("leaves nothing behind, also when it is interrupted", async () => {
    expect(await left()).toBe("");
    const node = join(root, "node_modules", ".bin", "node");
    const child = spawn(node, ["tools/main.js", "check-image", SERVICE, reference], { cwd: root, stdio: "ignore" });
    const ended = new Promise<number | null>((done) => child.on("close", done));
    await eventually("its first container", 60, async () => ((await left()) === "" ? undefined : true));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(await left()).toBe("");
  });
});
