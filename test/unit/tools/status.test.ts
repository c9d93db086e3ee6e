import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KILL_SWITCH_FILE, killSwitchText } from "../../../components/platform/killSwitch.ts";
import { type Status, span, statusOf } from "../../../tools/lib/status.ts";
import { type Facts, factsOf, hostFacts, type SeenContainer, updateOf } from "../../../tools/lib/statusFacts.ts";
import { statusText } from "../../../tools/lib/statusText.ts";

const NOW = Date.parse("2026-03-01T03:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const iso = (ago: number) => new Date(NOW - ago).toISOString();
const seconds = (ago: number) => (NOW - ago) / 1000;

function container(service: string, other: Partial<SeenContainer> = {}): SeenContainer {
  return {
    ...{ service, deploy: "rolling", name: `${service}-1a2b`, status: "running", health: "healthy", checked: "" },
    ...{
      image: `registry.example/${service}@sha256:${"0123456789abcdef".repeat(4)}`,
      imageId: `sha256:${"f".repeat(64)}`,
    },
    ...{ restarts: 0, created: iso(DAY), started: iso(3 * HOUR), finished: "0001-01-01T00:00:00Z" },
    ...{ exitCode: 0, killedForMemory: false },
    ...other,
  };
}

const sample = (name: string, value: number, labels: Record<string, string> = {}) => ({
  labels: { __name__: name, ...labels },
  value,
});

const fine: Facts = {
  ...{ stack: "production", environment: "production", now: NOW, wantsLive: true },
  killSwitch: { said: { on: false, detail: "" } },
  lock: undefined,
  containers: { said: [container("postgres"), container("execution-ib")] },
  alerts: { said: [] },
  due: {
    said: [
      sample("credential_rotated_timestamp_seconds", seconds(50 * DAY), { name: "jwt" }),
      sample("credential_rotation_period_seconds", (90 * DAY) / 1000, { name: "jwt" }),
      sample("credential_rotated_timestamp_seconds", seconds(DAY), { name: "redis" }),
      sample("credential_rotation_period_seconds", (90 * DAY) / 1000, { name: "redis" }),
      sample("backup_last_success_timestamp_seconds", seconds(HOUR)),
      sample("probe_ssl_earliest_cert_expiry", seconds(-60 * DAY), { certificate: "public", domain: "d.example" }),
      sample("probe_ssl_earliest_cert_expiry", seconds(-HOUR), { route: "/grafana/" }),
      sample("host_security_checked_timestamp_seconds", seconds(2 * HOUR)),
      sample("host_reboot_required", 0),
    ],
  },
  silences: { said: [] },
  declared: {
    said: { containers: { postgres: "postgres-1a2b", "execution-ib": "execution-ib-1a2b" }, trading: "live" },
  },
  lastUpdate: {
    said: { kind: "update", result: "succeeded", at: NOW - DAY, message: "by anna from desk", commit: "a".repeat(40) },
  },
};

const says = ({ problems }: Status) => problems.map(({ what, says: words }) => `${what}: ${words}`);
const withContainers = (...seen: SeenContainer[]) => statusOf({ ...fine, containers: { said: seen } });

describe("the status of a stack", () => {
  it("is fine where nothing is wrong, and says what is due, how it trades, and who deployed", () => {
    const status = statusOf(fine);
    expect(status).toMatchObject({ verdict: "fine", trading: "live", problems: [], silent: [], changing: null });
    expect(status.deployment).toEqual({
      at: iso(DAY),
      result: "succeeded",
      by: "anna from desk",
      commit: "a".repeat(40),
    });
    expect(status.due?.map(({ what, says: words, overdue }) => `${what}: ${words}${overdue ? "!" : ""}`)).toEqual([
      "rotation: jwt in 40 d",
      "backup: the last good one is of 60 min ago",
      "certificate: d.example ends in 60 d; Caddy renews it",
      "security fixes: none waits; looked 2 h ago",
    ]);
    expect(status.workloads?.[1]).toMatchObject({
      name: "postgres",
      digest: "0123456789abcdef".repeat(4),
      restarts: 0,
    });
  });

  it.each<[string, Partial<SeenContainer>, string]>([
    [
      "stopped",
      { status: "exited", finished: iso(180_000), exitCode: 137, killedForMemory: true },
      "stopped 3 min ago, exit code 137, killed for memory",
    ],
    ["unhealthy", { health: "unhealthy", checked: "no\u001b[31m route\n" }, "unhealthy: no [31m route"],
    ["restarting", { status: "restarting", exitCode: 1 }, "starts again and again, exit code 1"],
    ["paused", { status: "paused" }, "paused since 3 h ago"],
    ["never started", { status: "created" }, "was never started"],
  ])("is wrong where a container is %s", (_, other, words) => {
    const status = withContainers(container("postgres", other), container("execution-ib"));
    expect(status.verdict).toBe("wrong");
    expect(says(status)).toEqual([`postgres: ${words} (postgres-1a2b)`]);
  });

  it("is wrong where a declared workload has no container, and names a command that works on the stack", () => {
    expect(says(withContainers(container("postgres")))).toEqual([
      "execution-ib: has no container; ./autollm up --stack production makes one (execution-ib-1a2b)",
    ]);
    expect(says(withContainers())).toEqual(["containers: there are none; ./autollm up --stack production"]);
  });

  it("takes a batch job, a container that starts, and a former one beside its successor for well", () => {
    const status = withContainers(
      container("postgres", { health: "starting" }),
      container("execution-ib"),
      container("execution-ib", { name: "execution-ib-old", status: "exited" }),
      container("backtest-engine", { deploy: "on-demand", status: "exited", exitCode: 1 }),
    );
    expect(status.verdict).toBe("fine");
    expect(status.workloads?.map(({ name, note }) => [name, note])).toEqual([
      ["backtest-engine", "started by hand"],
      ["execution-ib", null],
      ["execution-ib", "the former one"],
      ["postgres", "starting"],
    ]);
  });

  it("shows the kill switch, and takes the executors that it stopped for what they are", () => {
    const detail = JSON.stringify({ reason: "prices", by: "bob", at: "2026-03-01T02:00:00Z" });
    const seen = [container("postgres"), container("execution-ib", { status: "exited", finished: iso(HOUR) })];
    const status = statusOf({ ...fine, killSwitch: { said: { on: true, detail } }, containers: { said: seen } });
    expect(status.killSwitch).toEqual({ on: true, reason: "prices", by: "bob", at: "2026-03-01T02:00:00Z" });
    expect(says(status)).toEqual([
      "kill switch: ON, no order is executed: prices (bob); ./autollm kill-switch off --stack production ends it",
    ]);
    expect(says(statusOf({ ...fine, containers: { said: seen } })).join()).toContain(
      "execution-ib: stopped 60 min ago",
    );
  });

  it("takes a file that says nothing for a switch that is on", () => {
    const status = statusOf({ ...fine, killSwitch: { said: { on: true, detail: "" } } });
    expect(status.killSwitch).toEqual({ on: true, reason: null, by: null, at: null });
    expect(status.verdict).toBe("wrong");
  });

  it("names firing alerts, critical ones first, and leaves out the heartbeat and what is silenced", () => {
    const alert = (alertname: string, severity: string, service = "x") => ({
      labels: { alertname, severity, service },
      summary: `${alertname} says so`,
      since: iso(240_000),
    });
    const alerts = [
      alert("B", "warning"),
      alert("DeadMansSwitch", "none"),
      alert("C", "critical"),
      alert("A", "warning"),
    ];
    const silences = { said: [{ alertname: "B", severity: "warning", service: "x", environment: "production" }] };
    const status = statusOf({ ...fine, alerts: { said: alerts }, silences });
    expect(says(status)).toEqual(["C: critical, 4 min: C says so", "A: warning, 4 min: A says so"]);
    expect(status.alerts?.find(({ name }) => name === "B")?.silenced).toBe(true);
  });

  it.each<[string, ReturnType<typeof sample>, string]>([
    [
      "a credential",
      sample("credential_rotated_timestamp_seconds", seconds(100 * DAY), { name: "jwt" }),
      "rotation: overdue: jwt: the first was due 10 d ago",
    ],
    [
      "a backup",
      sample("backup_last_success_timestamp_seconds", seconds(26 * HOUR)),
      "backup: overdue: the last good one is of 26 h ago",
    ],
    [
      "a certificate",
      sample("probe_ssl_earliest_cert_expiry", seconds(-DAY), { certificate: "public", domain: "d.example" }),
      "certificate: overdue: d.example ends in 24 h; Caddy renews it",
    ],
    [
      "a security fix",
      sample("host_security_fixes_oldest_timestamp_seconds", seconds(3 * DAY)),
      "security fixes: overdue: 0 wait, the oldest since 3 d",
    ],
    ["a reboot", sample("host_reboot_required", 1), "reboot: overdue: an installed fix takes effect only by a reboot"],
  ])("is wrong where %s is overdue", (_, late, words) => {
    const others = "said" in fine.due ? fine.due.said : [];
    const key = (labels: Readonly<Record<string, string>>) => `${labels.__name__} ${labels.name}`;
    const isLate = ({ labels }: (typeof others)[number]) => key(labels) === key(late.labels);
    const status = statusOf({ ...fine, due: { said: [...others.filter((each) => !isLate(each)), late] } });
    expect(says(status)).toEqual([words]);
  });

  it("is wrong where the last deployment failed, and tells of one that did not come by ./autollm", () => {
    const update = updateOf({
      kind: "update",
      result: "failed",
      startTime: NOW / 1000 - 60,
      message: "A commit's title",
    });
    const status = statusOf({ ...fine, lastUpdate: { said: update } });
    expect(says(status)).toEqual(["deployment: the last one failed, 60 s ago"]);
    expect(status.deployment).toMatchObject({ by: null, commit: null });
  });

  it("names who is changing it, and takes no control characters of theirs to the terminal", () => {
    const record = {
      who: "eve\u001b[2J",
      from: "desk",
      command: "up",
      since: iso(HOUR),
      pid: 1,
      space: "s",
      start: "1",
    };
    const status = statusOf({ ...fine, lock: { record: JSON.stringify(record), age: 3 } });
    expect(status.changing).toEqual({ who: "eve", from: "desk", command: "up", since: iso(HOUR) });
    expect(status.verdict).toBe("fine");
  });

  it("says of a move that is not finished what to type", () => {
    const { moving } = hostFacts("=== switch\noff\n=== lock\n=== move\nmoving 192.0.2.9\n=== containers\n");
    const { problems, verdict } = statusOf({ ...fine, moving });
    expect(verdict).toBe("wrong");
    expect(problems).toEqual([
      {
        what: "move",
        says: expect.stringMatching(/is being moved to 192\.0\.2\.9: .*move --to 192\.0\.2\.9.*move --back/),
      },
    ]);
  });

  it("is unknown where a source says nothing, and wrong where something wrong was seen all the same", () => {
    const silent = { silent: "no answer within 2 s" };
    const blind = { ...fine, containers: silent, alerts: silent, due: silent, silences: silent };
    expect(statusOf(blind)).toMatchObject({ verdict: "unknown", workloads: null, alerts: null, due: null });
    expect(statusOf(blind).silent.map(({ source }) => source)).toEqual([
      "Docker",
      "alerts (Prometheus)",
      "what is due (Prometheus)",
      "silences (Alertmanager)",
    ]);
    expect(statusOf({ ...blind, killSwitch: { said: { on: true, detail: "" } } }).verdict).toBe("wrong");
    expect(statusOf({ ...fine, declared: silent }).trading).toBe("live");
  });
});

describe("the status on a terminal", () => {
  const wrong = withContainers(
    container("execution-ib"),
    container("postgres", { status: "exited", finished: iso(HOUR), exitCode: 1 }),
  );

  it("has what is wrong first, fits 80 columns, and has no colour unless asked", () => {
    const lines = statusText(wrong, { width: 80, colour: false }).split("\n");
    expect(lines[0]).toBe("WRONG (1)  production, LIVE: real money, kill switch off  2026-03-01T03:00:00Z");
    expect(lines.slice(2, 4)).toEqual(["WRONG", "  postgres   stopped 60 min ago, exit code 1 (postgres-1a2b)"]);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(lines.join("\n")).not.toContain("\u001b");
    expect(statusText(wrong, { width: 80, colour: true })).toContain("\u001b[31m");
    const table = lines.slice(lines.findIndex((line) => line.startsWith("WORKLOADS")));
    expect(table.map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      [],
      ["workload", "state", "image", "age", "restarts"],
      ["postgres", "exited", "0123456789ab", "60 min", "0"],
      ["execution-ib", "healthy", "0123456789ab", "3 h", "0"],
    ]);
  });

  it.each([
    [0, "0 s"],
    [119_000, "119 s"],
    [120_000, "2 min"],
    [2 * HOUR, "2 h"],
    [47 * HOUR, "47 h"],
    [48 * HOUR, "2 d"],
    [-5, "0 s"],
  ])("says %d ms as %s", (ms, words) => {
    expect(span(ms)).toBe(words);
  });
});

describe("what the Docker host answers", () => {
  it("is taken apart by source; one that fails takes no other with it", () => {
    const facts = hostFacts(
      `=== switch\noff\n=== lock\n=== containers\nError: No such object: x\n=== alerts\n{"data":\n!!! due wget: timed out\n=== silences\n[]\n`,
    );
    expect(facts).toEqual({
      killSwitch: { said: { on: false, detail: "" } },
      lock: undefined,
      containers: { said: [] },
      alerts: { silent: "its answer cannot be read" },
      due: { silent: "wget: timed out" },
      silences: { said: [] },
    });
  });
});

describe("a look at a stack of this machine", () => {
  let folder: string;

  /** Puts a Docker client of ours before the machine's. */
  function dockerIs(body: string): void {
    writeFileSync(join(folder, "docker"), `#!/bin/sh\nshift 2\n${body}\n`);
    chmodSync(join(folder, "docker"), 0o755);
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "autollm-status-"));
    const config = { "autollm:filesDir": join(folder, "files"), "autollm:environment": "local" };
    writeFileSync(join(folder, "Pulumi.test.yaml"), JSON.stringify({ config }));
    vi.stubEnv("AUTOLLM_HOME", folder);
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const line = JSON.stringify({ ...container("prometheus"), name: "/prometheus-1a2b" });

  it("reads Docker, Prometheus, the switch, the state and the history, without an engine", async () => {
    dockerIs(`case "$*" in
  *inspect*) echo '${line}' ;;
  ps*) echo id ;;
  *api/v1/alerts*) echo '{"data":{"alerts":[{"labels":{"alertname":"A","severity":"critical"},"annotations":{"summary":"s"},"state":"firing","activeAt":"${iso(0)}"},{"labels":{},"state":"pending"}]}}' ;;
  *api/v1/query*) echo '{"data":{"result":[{"metric":{"__name__":"host_reboot_required"},"value":[1,"1"]}]}}' ;;
  *) echo '[]' ;;
esac`);
    const state = join(folder, "state", ".pulumi");
    for (const kind of ["stacks", "history"])
      mkdirSync(join(state, kind, "autollm", kind === "history" ? "test" : ""), { recursive: true });
    const outputs = { containers: { prometheus: "prometheus-1a2b" }, trading: "paper" };
    const resources = [{ urn: "urn", type: "pulumi:pulumi:Stack", outputs }];
    writeFileSync(
      join(state, "stacks/autollm/test.json"),
      JSON.stringify({ version: 3, checkpoint: { latest: { resources } } }),
    );
    const update = (kind: string, startTime: number) =>
      writeFileSync(
        join(state, "history/autollm/test", `test-${startTime}.history.json`),
        JSON.stringify({
          kind,
          result: "succeeded",
          startTime,
          message: "by me from here",
          environment: { "git.head": "c0ffee" },
        }),
      );
    update("update", 1_700_000_000);
    update("destroy", 1_800_000_000);
    mkdirSync(join(folder, "files/kill-switch"), { recursive: true });
    writeFileSync(join(folder, "files/kill-switch", KILL_SWITCH_FILE), killSwitchText({ reason: "drill", at: "t" }));

    const facts = await factsOf("test");
    expect(facts).toMatchObject({
      killSwitch: { said: { on: true, detail: '{"reason":"drill","at":"t"}' } },
      containers: { said: [{ service: "prometheus", name: "prometheus-1a2b" }] },
      alerts: { said: [{ labels: { alertname: "A" }, summary: "s" }] },
      due: { said: [{ labels: { __name__: "host_reboot_required" }, value: 1 }] },
      silences: { said: [] },
      declared: { said: outputs },
      lastUpdate: { said: { kind: "update", at: 1_700_000_000_000, message: "by me from here", commit: "c0ffee" } },
    });
  });

  it("waits for no Docker that hangs, and tells of the switch all the same", async () => {
    dockerIs("exec sleep 60");
    const start = Date.now();
    const status = statusOf(await factsOf("test"));
    expect(Date.now() - start).toBeLessThan(15_000);
    expect(status).toMatchObject({ verdict: "unknown", workloads: null, killSwitch: { on: false } });
    expect(status.silent[0]).toEqual({ source: "Docker", says: "no answer within 2 s" });
  });

  it("tells of a Docker that is away in its client's own words", async () => {
    dockerIs("echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    const { silent } = statusOf(await factsOf("test"));
    expect(silent[0]).toEqual({ source: "Docker", says: "Cannot connect to the Docker daemon" });
    expect(silent.at(-1)?.says).toContain("there is no state");
  });

  it("takes a list of containers that was cut short for none", async () => {
    dockerIs(`case "$*" in *inspect*) echo '${line}'; exec sleep 60 ;; ps*) echo id ;; *) echo '[]' ;; esac`);
    const status = statusOf(await factsOf("test"));
    expect(status.workloads).toBeNull();
    expect(status.silent).toContainEqual({ source: "Docker", says: "no answer within 2 s" });
  });

  it("waits for no Prometheus that hangs", async () => {
    dockerIs(`case "$*" in *inspect*) echo '${line}' ;; ps*) echo id ;; *9093*) echo '[]' ;; *) exec sleep 60 ;; esac`);
    const { silent, workloads } = statusOf(await factsOf("test"));
    expect(workloads).toHaveLength(1);
    expect(silent.map(({ says: words }) => words).slice(0, 2)).toEqual([
      "no answer within 2 s",
      "no answer within 2 s",
    ]);
  });

  it("is refused for a stack that has no file", async () => {
    await expect(factsOf("none")).rejects.toThrow(/there is no stack none/);
  });
});
