import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkConfig } from "../../../components/settings.ts";
import { assertMayChange, changesStack, heldLock } from "../../../tools/lib/held.ts";
import { lockPlace, STALE_SECONDS, sharedPlace } from "../../../tools/lib/lockPlace.ts";
import { processSpace, startOf } from "../../../tools/lib/machine.ts";
import { diedHere, holderOf, moveRefusal, tellHolder, withStackLock } from "../../../tools/lib/stackLock.ts";
import { root } from "../../../tools/lib/workspace.ts";

const STACK = "lock-test";

describe("the lock of a stack", () => {
  let home: string;
  const work = vi.fn(async () => "done");
  beforeEach(() => {
    work.mockClear();
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    vi.stubEnv("AUTOLLM_HOME", home);
    vi.stubEnv("AUTOLLM_STACK_LOCK", undefined);
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(home, { recursive: true });
  });

  const file = () => join(home, "locks", STACK);
  /** A lock of somebody else's. */
  function held(record: object, secondsAgo = 0): void {
    mkdirSync(join(home, "locks"), { recursive: true });
    const whole = {
      who: "ada",
      from: "another-machine",
      command: "rotate",
      since: "2026-01-01T00:00:00.000Z",
      pid: 1,
      space: "another machine's",
      start: "1",
      ...record,
    };
    writeFileSync(file(), `0000\n${JSON.stringify(whole)}\n`);
    const time = Date.now() / 1000 - secondsAgo;
    utimesSync(file(), time, time);
  }

  it("is held while the work is done, and given back when it ends or fails", async () => {
    const seen = await withStackLock(STACK, "up", async () => holderOf(await lockPlace(STACK)));
    expect(seen?.record).toMatchObject({ command: "up", pid: process.pid, space: processSpace() });
    expect(existsSync(file())).toBe(false);
    const failing = withStackLock(STACK, "up", () => Promise.reject(new Error("broken")));
    await expect(failing).rejects.toThrow("broken");
    expect(existsSync(file())).toBe(false);
    expect(heldLock(STACK)).toBeUndefined();
  });

  it("refuses a second command, and names who holds it, from where, since when and for what", async () => {
    held({}, 40);
    const before = readFileSync(file(), "utf8");
    await expect(withStackLock(STACK, "up", work)).rejects.toThrow(
      /stack lock-test is being changed by ada from another-machine \(rotate, process 1\) since 2026-01-01T00:00:00.000Z, last heartbeat 4\d s ago\. Nothing was changed/,
    );
    expect(work).not.toHaveBeenCalled();
    expect(readFileSync(file(), "utf8")).toBe(before);
  });

  it("refuses a second process of this machine, as long as the first one lives", async () => {
    await withStackLock(STACK, "up", async () => {
      vi.stubEnv("AUTOLLM_STACK_LOCK", undefined);
      await expect(withStackLock(STACK, "rotate", work)).rejects.toThrow(/\(up, process \d+\)/);
    });
    expect(work).not.toHaveBeenCalled();
  });

  it("goes to the next command at once if its holder was a process of this machine that has ended", async () => {
    // The largest number of a process, and one more (Linux, pid_max).
    held({ pid: 4_194_305, space: processSpace() });
    const died = await withStackLock(STACK, "up", async () => heldLock(STACK)?.diedHere);
    expect(died).toBe(true);
  });

  it("goes to the next command even if the dead holder is a zombie, which keeps its process id", async () => {
    // The shell becomes a program that waits for nobody.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const [first] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(String(first));
      const state = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2];
      await vi.waitFor(() => expect(state()).toBe("Z"), { timeout: 10_000 });
      held({ pid, space: processSpace(), start: startOf(pid) });
      expect(await withStackLock(STACK, "up", work)).toBe("done");
    } finally {
      parent.kill();
    }
  });

  it("goes to the next command where the holder's process id is another process by now", async () => {
    held({ pid: process.pid, space: processSpace(), start: "1" });
    expect(startOf(process.pid)).not.toBe("1");
    expect(await withStackLock(STACK, "up", work)).toBe("done");
  });

  it("does not take a holder on another machine for dead because its process id is free here", async () => {
    held({ pid: 4_194_305 });
    await expect(withStackLock(STACK, "up", work)).rejects.toThrow(/ada from another-machine/);
  });

  it("counts as its dead holder's after the time without a heartbeat, and not before", async () => {
    held({}, STALE_SECONDS - 30);
    await expect(withStackLock(STACK, "up", work)).rejects.toThrow(/ada/);
    held({}, STALE_SECONDS + 5);
    const died = await withStackLock(STACK, "up", async () => heldLock(STACK)?.diedHere);
    // It may have died anywhere: the engine's own lock is then not removed by itself.
    expect(died).toBe(false);
  });

  it("is taken by one of many commands at once", async () => {
    const place = await lockPlace(STACK);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => place.run("take", { id: `id-${index}`, record: "{}" })),
    );
    expect(answers.filter((answer) => answer.startsWith("taken"))).toHaveLength(1);
    expect(answers.filter((answer) => answer.startsWith("held"))).toHaveLength(7);
    // Of many who find a dead holder, too.
    const dead = (await holderOf(place))?.id ?? "";
    const again = await Promise.all(
      Array.from({ length: 8 }, (_, index) => place.run("take", { id: `new-${index}`, record: "{}", dead })),
    );
    expect(again.filter((answer) => answer.startsWith("inherited"))).toHaveLength(1);
  });

  it("is not another's to give back or to keep alive", async () => {
    held({});
    const place = await lockPlace(STACK);
    expect(await place.run("beat", { id: "mine" })).toBe("lost\n");
    await place.run("release", { id: "mine" });
    expect(existsSync(file())).toBe(true);
  });

  it("is passed on to the commands that its holder starts, and those go no further without it", async () => {
    await withStackLock(STACK, "deploy", async () => {
      expect(await withStackLock(STACK, "up", work)).toBe("done");
      expect(existsSync(file()), "is still its holder's").toBe(true);
      held({});
      await expect(withStackLock(STACK, "up", work)).rejects.toThrow(/no longer has the lock/);
    });
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("shows a foreign record without what would steer a terminal, and one that cannot be read as such", async () => {
    held({ who: "ada\u001b[2J\u001b]0;x\u0007" });
    const holder = await holderOf(await lockPlace(STACK));
    expect(tellHolder(holder ?? { record: undefined, age: 0 })).toMatch(/^ada\S* from another-machine/);
    expect(JSON.stringify(holder)).not.toMatch(/\\u00(1b|07)/);
    writeFileSync(file(), "0000\nno JSON\n");
    await expect(withStackLock(STACK, "up", work)).rejects.toThrow(/somebody whose record cannot be read/);
  });

  it("never knows a holder elsewhere to be dead", () => {
    expect(diedHere(undefined)).toBe(false);
  });
});

describe("the lock of a shared stack", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    // In place of OpenSSH: it notes whom it calls, and runs the last word here, as the host's shell would.
    const ssh = `#!/bin/sh\necho "$*" | grep -o '[a-z]*@192[0-9.]*' >> ${home}/logins\nfor last; do :; done\nexec sh -c "$last"\n`;
    writeFileSync(join(home, "ssh"), ssh, { mode: 0o755 });
    writeFileSync(join(home, "sudo"), '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n', { mode: 0o755 });
    vi.stubEnv("PATH", `${home}:${process.env.PATH}`);
    vi.stubEnv("HOME", home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });
  const { host } = checkConfig(
    {
      "autollm:host": JSON.stringify({ address: "192.0.2.1", hostKey: `ssh-ed25519 ${"A".repeat(68)}` }),
    },
    new Set(),
  ).settings;

  it("lies on the host that the stack sets up, as root's, and is reached as each step is", async () => {
    const directory = join(home, "locks");
    const place = sharedPlace("staging", { host, dockerHost: "" }, directory);
    expect(await place.run("take", { id: "one", record: "it's {}" })).toBe("taken\n");
    expect(readFileSync(join(directory, "staging"), "utf8")).toBe("one\nit's {}\n");
    expect(await place.run("take", { id: "two", record: "{}" })).toMatch(/^held \d\nit's \{\}\none\n/);
    expect(await place.run("beat", { id: "one" })).toBe("ok\n");
    await place.run("release", { id: "one" });
    expect(await place.run("look", { id: "two" })).toBe("free\n");
    expect(readFileSync(join(home, "logins"), "utf8")).toContain("deployer@192.0.2.1");
    expect(place.where).toBe(`${directory}/staging on 192.0.2.1`);
  });

  it("names a move that is not finished, and lets the move's own command go on", () => {
    const to = { address: "192.0.2.9", port: 22 };
    const move = join(home, "move");
    mkdirSync(move);
    const answer = (action: string, id: string) =>
      execFileSync("sh", [join(root, "tools/lib/stack-lock.sh")], {
        env: { ...process.env, ACTION: action, DIRECTORY: join(home, "locks"), NAME: "s", ID: id, MOVE: move },
        encoding: "utf8",
      });
    expect(answer("take", "one")).toBe("taken\n");
    writeFileSync(join(move, "record"), JSON.stringify({ from: { address: "192.0.2.1" }, to, since: "x" }));
    expect(answer("beat", "one")).toBe("ok\nmoving 192.0.2.9\n");
    answer("release", "one");
    const moving = answer("take", "two");
    expect(moving).toBe("taken\nmoving 192.0.2.9\n");
    expect(moveRefusal("production", "up", moving)).toContain("./autollm move --to 192.0.2.9 --stack production");
    expect(moveRefusal("production", "move --to 192.0.2.9", moving)).toBeUndefined();
    writeFileSync(join(move, "fenced"), "");
    expect(moveRefusal("production", "up", answer("beat", "two"))).toContain("is on 192.0.2.9 by now");
    writeFileSync(join(move, "finished"), "");
    expect(answer("beat", "two")).toBe("ok\n");
    expect(moveRefusal("production", "up", "ok\n")).toBeUndefined();
  });

  it("lies beside the daemon where there is no host to set up", () => {
    expect(sharedPlace("staging", { host: undefined, dockerHost: "unix:///var/run/docker.sock" }).where).toMatch(
      /^\/(run\/lock|tmp)\/autollm-locks\/staging on this machine$/,
    );
    expect(sharedPlace("staging", { host: undefined, dockerHost: "ssh://me@192.0.2.1:2222" }).where).toBe(
      "/tmp/autollm-locks/staging on 192.0.2.1",
    );
  });

  it("is unavailable if its host is unreachable, and the fault says so in a line", async () => {
    writeFileSync(join(home, "ssh"), "#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 255\n", {
      mode: 0o755,
    });
    const place = sharedPlace("staging", { host, dockerHost: "" });
    await expect(place.run("take", { id: "one" })).rejects.toThrow(
      /the lock of stack staging .* cannot be reached: .*does not let .* in with the key/,
    );
  });
});

describe("Pulumi's commands", () => {
  it.each([
    ["up", "--stack", "x"],
    ["--yes", "destroy"],
    ["refresh", "--yes"],
    ["import", "a", "b"],
    ["state", "delete", "urn"],
    ["stack", "import", "--stack", "x"],
    ["stack", "rm", "x"],
  ])("%s %s: changes the stack, and is refused without its lock", (...args) => {
    expect(changesStack(args)).toBe(true);
    expect(() => assertMayChange("x", args)).toThrow(/without the lock of x/);
  });

  it.each([["preview"], ["stack", "ls"], ["stack", "export"], ["config", "set"], ["cancel"], ["up", "--help"]])(
    "%s %s: changes nothing of it",
    (...args) => {
      expect(changesStack(args)).toBe(false);
      expect(() => assertMayChange("x", args)).not.toThrow();
    },
  );
});

describe("a command that changes a stack", () => {
  /** What of the project's own changes a stack, or what it runs on. */
  const CHANGES =
    /lib\/(update|rollover|interrupted|restore\/restore)\.ts"|forgetLocalStack|stepOnHost|pulumi\(\["(up|destroy|import)|autollm\("up"/;
  const folder = join(root, "tools", "cli");
  const commands = readdirSync(folder)
    .map((name) => [name, readFileSync(join(folder, name), "utf8")] as const)
    .filter(([, text]) => CHANGES.test(text));

  it("is one of these", () =>
    expect(commands.map(([name]) => name)).toEqual([
      "deploy.ts",
      "down.ts",
      "drift.ts",
      "restore.ts",
      "rollback.ts",
      "rotate.ts",
      "up.ts",
      "upgrade.ts",
    ]));

  it.each(commands)("%s: takes the stack's lock", (_, text) => expect(text).toMatch(/changes: \(\{/));
});
