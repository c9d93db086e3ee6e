import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { KILL_SWITCH_FILE, killSwitchText } from "../../../components/platform/killSwitch.ts";
import { orderLines, PlatformSwitch, type SwitchAction, switchState } from "../../../tools/lib/platformSwitch.ts";

let folder: string;
let marker: string;

/** Puts a Docker client of ours before the machine's: it notes what it is asked, and answers `ps` with a file. */
function dockerAnswers(containers: readonly string[], all: readonly string[] = []): void {
  writeFileSync(join(folder, "running"), containers.map((line) => `${line}\n`).join(""));
  writeFileSync(join(folder, "all"), all.map((line) => `${line}\n`).join(""));
  writeFileSync(
    join(folder, "docker"),
    `#!/bin/sh
shift 2
[ ! -e ${marker} ] || echo "set: $*" >>${folder}/asked
[ -e ${marker} ] || echo "unset: $*" >>${folder}/asked
case "$1 $*" in
  *"--all"*service=nats) grep " nats$" ${folder}/all || true ;;
  exec*wget*/orders*) cat ${folder}/orders ;;
  *"--all"*) service=$(echo "$*" | sed 's/.*autollm.service=\\([^ ]*\\) .*/\\1/'); grep " $service\\$" ${folder}/all | cut -d" " -f1 ;;
  ps*) cat ${folder}/running ;;
  kill*) case $* in *TERM*) ;; *) for id; do :; done; grep -v "^$id " ${folder}/running >${folder}/left; cp ${folder}/left ${folder}/running ;; esac ;;
esac
`,
  );
  chmodSync(join(folder, "docker"), 0o755);
}

const asked = () => (existsSync(join(folder, "asked")) ? readFileSync(join(folder, "asked"), "utf8") : "");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autollm-switch-"));
  marker = join(folder, "files", "kill-switch", KILL_SWITCH_FILE);
  const config = { "autollm:filesDir": join(folder, "files"), "autollm:environment": "local" };
  writeFileSync(join(folder, "Pulumi.test.yaml"), JSON.stringify({ config }));
  vi.stubEnv("AUTOLLM_HOME", folder);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  dockerAnswers([]);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const detail = { reason: 'gone "mad"\nagain', by: "me", at: "2026-01-01T00:00:00Z" };
const run = (action: SwitchAction) => PlatformSwitch.of("test").then((platform) => platform.run(action, detail));

describe("the platform's kill switch", () => {
  it("is set before Docker is asked anything, keeps its first reason, and is read by anybody", async () => {
    expect(await run("on")).toMatchObject({ on: true, kept: false, faults: [] });
    expect(asked()).not.toContain("unset:");
    expect(readFileSync(marker, "utf8")).toBe(killSwitchText(detail));
    expect(statSync(marker).mode & 0o777).toBe(0o644);
    const again = await (await PlatformSwitch.of("test")).run("on", { ...detail, reason: "another" });
    expect(again).toMatchObject({ on: true, kept: true });
    expect(JSON.parse((await run("status")).detail)).toEqual(detail);
  });

  it("asks a running executor to end before it is killed, wakes no paused one, and touches nothing else", async () => {
    dockerAnswers(["i1 execution-ib running ib", "i2 execution-crypto paused crypto", "i3 risk-manager running risk"]);
    expect((await run("on")).stopped.toSorted()).toEqual(["crypto", "ib"]);
    const kills = asked()
      .split("\n")
      .filter((line) => line.includes("kill"));
    expect(kills.toSorted()).toEqual(["set: kill --signal TERM i1", "set: kill i1", "set: kill i2"].toSorted());
    expect(kills.indexOf("set: kill --signal TERM i1")).toBeLessThan(kills.indexOf("set: kill i1"));
  });

  it("tells an executor that could not be stopped as a fault", async () => {
    dockerAnswers(["i1 execution-ib running ib"]);
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "docker"), readFileSync(join(folder, "docker"), "utf8").replace(/^ {2}kill\*.*$/m, ""));
    expect((await run("on")).faults).toEqual([expect.stringContaining("ib could not be stopped")]);
  });

  it("has NATS take its users, and tells of one that did not", async () => {
    dockerAnswers(["n1 nats running nats"]);
    expect((await run("on")).warnings).toEqual([]);
    expect(asked()).toContain("exec n1 /bin/sh /etc/autollm/users.sh reload");
    writeFileSync(
      join(folder, "docker"),
      readFileSync(join(folder, "docker"), "utf8").replace("shift 2\n", 'shift 2\n[ "$1" != exec ] || exit 1\n'),
    );
    expect((await run("on")).warnings).toEqual([expect.stringContaining("NATS")]);
  });

  it("starts at `off` the newest container of what it stopped, while the switch is still on, and nothing that was stopped before", async () => {
    dockerAnswers(
      ["i1 execution-ib running ib"],
      ["ib-new execution-ib", "ib-old execution-ib", "crypto execution-crypto"],
    );
    await run("on");
    expect(await run("off")).toMatchObject({ on: false, started: ["ib-new"] });
    expect(
      asked()
        .split("\n")
        .filter((line) => line.includes("restart")),
    ).toEqual(["set: restart ib-new"]);
    expect(existsSync(marker)).toBe(false);
    expect(await run("off")).toMatchObject({ on: false, started: [] });
  });

  it("says which executor has no container any more", async () => {
    dockerAnswers(["i1 execution-ib running ib"]);
    await run("on");
    expect((await run("off")).faults).toEqual([expect.stringContaining("execution-ib has no container")]);
  });

  describe("with approved orders that no executor has confirmed", () => {
    const order = { seq: 7, at: "2026-01-01T00:00:01Z", delivered: false, text: '{"payload":"{\\"id\\":\\"o1\\"}"}' };
    const waiting = [{ consumer: "execution-ib_risk_order_approved", isRead: true, count: 1, orders: [order] }];
    beforeEach(async () => {
      const stores = ["n1 nats running nats", "k1 nats-streams running keeper"];
      dockerAnswers(["i1 execution-ib running ib", ...stores], ["ib execution-ib", "nats nats"]);
      writeFileSync(join(folder, "orders"), JSON.stringify(waiting));
      // Nobody waits in a test.
      writeFileSync(join(folder, "sleep"), "#!/bin/sh\n");
      chmodSync(join(folder, "sleep"), 0o755);
      await run("on");
    });
    const history = () =>
      readFileSync(join(dirname(marker), "history.jsonl"), "utf8")
        .trimEnd()
        .split("\n");

    it("lists them, and discards them at `off` while NATS has no executors and before one is started", async () => {
      expect((await run("orders")).orders).toEqual(waiting);
      expect(await run("off")).toMatchObject({ on: false, orders: waiting, started: ["ib"], faults: [] });
      const steps = asked().split("\n");
      const [discarded, started] = ["/orders/discard", "restart ib"].map((word) =>
        steps.findIndex((step) => step.includes(word)),
      );
      expect(steps.slice(0, discarded).at(-2)).toContain("users.sh reload");
      expect(steps[discarded ?? -1]).toMatch(/^set: exec k1 wget .*--post-data/);
      expect(started).toBeGreaterThan(discarded ?? 0);
      expect(history().map((line) => JSON.parse(line) as unknown)).toEqual([
        { on: detail, off: detail, discarded: waiting },
      ]);
      expect(statSync(join(dirname(marker), "history.jsonl")).mode & 0o777).toBe(0o600);
    });

    it("stays on where they cannot be discarded, and starts nothing", async () => {
      rmSync(join(folder, "orders"));
      expect(await run("off")).toMatchObject({
        ...{ on: true, started: [], orders: undefined },
        faults: [expect.stringContaining("the switch stays on")],
      });
      expect(existsSync(marker)).toBe(true);
      expect((await run("orders")).orders).toBeUndefined();
    });

    it("tells a person which they are, and which may be executed already", () => {
      const [head, row, more] = orderLines([{ ...waiting[0], count: 3, orders: [order] } as (typeof waiting)[0]]);
      expect(head).toContain("3 approved orders");
      expect(row).toBe('  7  2026-01-01T00:00:01Z  not handed out  {"id":"o1"}');
      expect(more).toContain("2 more");
      const [line, handed] = orderLines([
        { ...waiting[0], orders: [{ ...order, delivered: true }] } as (typeof waiting)[0],
      ]);
      expect(line).toContain("1 approved orders");
      expect(handed).toContain("MAY BE EXECUTED");
      expect(orderLines([{ consumer: "c", isRead: false, count: 9, orders: [] }])).toEqual([
        expect.stringContaining("nothing was ever read by it"),
      ]);
    });
  });

  it("stops after an update what has started, and nothing where it is off", async () => {
    dockerAnswers(["i1 execution-ib running ib"]);
    expect(await run("hold")).toMatchObject({ on: false, stopped: [] });
    expect(asked()).toBe("");
    mkdirSync(join(folder, "files", "kill-switch"), { recursive: true });
    writeFileSync(marker, "");
    expect(await run("hold")).toMatchObject({ on: true, stopped: ["ib"] });
  });

  it("needs no room on the disk", async () => {
    // Where the text cannot be written, an empty file is enough.
    mkdirSync(join(`${marker}.new`), { recursive: true });
    expect(await run("on")).toMatchObject({ on: true });
    expect(readFileSync(marker, "utf8")).toBe("");
    expect(await run("status")).toMatchObject({ on: true, detail: "" });
  });

  it("is released also where somebody made a folder of that name", async () => {
    mkdirSync(marker, { recursive: true });
    expect(await run("status")).toMatchObject({ on: true });
    await run("off");
    expect(existsSync(marker)).toBe(false);
  });

  it.runIf(process.getuid?.() === 0)("ends processes by their users where Docker does not answer", async () => {
    writeFileSync(join(folder, "docker"), "#!/bin/sh\nexit 1\n");
    // Not the executors' own: this machine may run a stack.
    const [theirs, others] = [1_900_000_000 + randomInt(1e7), 2_000_000_000 + randomInt(1e7)];
    const executor = spawn("sleep", ["60"], { uid: theirs });
    const other = spawn("sleep", ["60"], { uid: others });
    onTestFinished(() => void other.kill());
    const ended = new Promise((done) => executor.once("exit", (_, signal) => done(signal)));
    const script = new URL("../../../tools/lib/kill-switch.sh", import.meta.url).pathname;
    const variables = {
      ACTION: "on",
      DIRECTORY: dirname(marker),
      STACK: "test",
      DOCKER: "unix:///none",
      EXECUTORS: "x",
    };
    const { stdout } = spawnSync("sh", [script], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...variables, USERS: `${theirs}`, RECORD: "x" },
    });
    expect(switchState(stdout, "test")).toMatchObject({
      on: true,
      faults: [expect.stringContaining("Docker does not answer")],
    });
    expect(await ended).toBe("SIGKILL");
    expect(other.exitCode ?? other.signalCode).toBeNull();
  });

  it("finds where a stack runs by its file alone, whatever else is wrong in it", async () => {
    const config = {
      "autollm:filesDir": join(folder, "files"),
      "autollm:relase": {},
      "autollm:openai": { secure: "x" },
    };
    writeFileSync(join(folder, "Pulumi.test.yaml"), JSON.stringify({ config }));
    expect((await PlatformSwitch.of("test")).stack).toBe("test");
    await expect(PlatformSwitch.of("other")).rejects.toThrow("there is no stack other");
  });

  it("reads what the script says", () => {
    expect(switchState("kept\nstopped a\nstarted b\nnats down\n{}\n", "test")).toEqual({
      ...{ on: true, kept: true, detail: "{}", stopped: ["a"], started: ["b"], faults: [], warnings: [] },
      orders: undefined,
    });
  });
});

describe("the kill switch of a former host", () => {
  it("stays on whatever is asked, and says that the one that trades was not touched", () => {
    const moved = join(folder, "fenced");
    const directory = join(folder, "switch");
    writeFileSync(moved, "");
    const ask = (action: SwitchAction) => {
      const variables = { ACTION: action, DIRECTORY: directory, STACK: "test", DOCKER: "unix:///x" };
      const more = { EXECUTORS: "execution-ib", USERS: "1", RECORD: "set", MOVED: moved };
      const said = spawnSync("sh", [new URL("../../../tools/lib/kill-switch.sh", import.meta.url).pathname], {
        env: { ...process.env, ...variables, ...more },
        encoding: "utf8",
      });
      return switchState(said.stdout, "test");
    };
    for (const action of ["on", "off"] as const) {
      const { on, faults } = ask(action);
      expect(on).toBe(true);
      expect(faults.join()).toContain("this is the former host of test");
    }
    expect(existsSync(join(directory, "on.prom"))).toBe(true);
  });
});

describe("an executor's start", () => {
  const script = (name: string) => new URL(`../../../components/platform/${name}`, import.meta.url).pathname;
  const env = () => ({
    PATH: process.env.PATH,
    AUTOLLM_KILL_SWITCH: join(folder, "switch"),
    AUTOLLM_SECRET_ENV_DIR: folder,
  });

  it("waits while the switch is on, and starts the program when it is off", async () => {
    mkdirSync(join(folder, "switch"));
    const set = join(folder, "switch", KILL_SWITCH_FILE);
    writeFileSync(set, "");
    rmSync(join(folder, "docker"));
    mkdirSync(join(folder, "env"));
    const started = spawn("sh", [script("start.sh"), "echo", "trading"], {
      env: { ...env(), AUTOLLM_SECRET_ENV_DIR: join(folder, "env") },
    });
    let said = "";
    started.stdout.on("data", (chunk) => {
      said += chunk;
    });
    await new Promise((done) => setTimeout(done, 1500));
    expect(said).toBe("");
    unlinkSync(set);
    await new Promise((done) => started.once("exit", done));
    expect(said).toBe("trading\n");
  });

  it("is healthy while it waits, and else as its own check says", () => {
    mkdirSync(join(folder, "switch"));
    const health = () => spawnSync("sh", [script("executor-health.sh"), "sh", "-c", "exit 3"], { env: env() }).status;
    expect(health()).toBe(3);
    writeFileSync(join(folder, "switch", KILL_SWITCH_FILE), "");
    expect(health()).toBe(0);
  });
});
