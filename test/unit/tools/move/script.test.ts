import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seen } from "../../../../tools/lib/move/side.ts";
import { root } from "../../../../tools/lib/workspace.ts";
import { fakeDocker } from "../../lib/fakeDocker.ts";

/** Docker as a host has it: its running containers are files of a folder. */
const DOCKER = `
case "$1" in
  ps)
    case "$*" in
      *--all*) ls "$DOCKER_HOME/all" | { case "$*" in *autollm.service=*) grep -x "$(echo "$*" | sed 's/.*autollm.service=\\([a-z-]*\\).*/\\1/')" ;; *) cat ;; esac; } ;;
      *) for each in $(ls "$DOCKER_HOME/running"); do echo "$each $each"; done ;;
    esac ;;
  stop) shift; for each in "$@"; do rm -f "$DOCKER_HOME/running/$each"; done ;;
  start) shift; for each in "$@"; do : > "$DOCKER_HOME/running/$each"; done ;;
  update) shift; echo "$*" > "$DOCKER_HOME/updated" ;;
  volume) echo "$DOCKER_HOME/volume" ;;
esac
`;
const ALL = ["caddy", "execution-ib", "nats", "postgres", "redis", "reporter"];

describe("a host's part of a move", () => {
  let home: string;
  let directory: string;
  const scripts = join(root, "tools/lib/move");

  beforeEach(() => {
    home = fakeDocker(DOCKER);
    directory = join(home, "move");
    writeFileSync(join(home, "systemctl"), "#!/bin/sh\n:\n");
    chmodSync(join(home, "systemctl"), 0o755);
    for (const folder of ["all", "running", "move", "volume"]) mkdirSync(join(home, folder));
    for (const name of ALL) for (const folder of ["all", "running"]) writeFileSync(join(home, folder, name), "");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  const variables = (action: string) => ({
    ...process.env,
    ...{ ACTION: action, DIRECTORY: directory, STACK: "production", FILES: join(home, "files"), LEASE: "180" },
  });
  function act(action: string, more: Readonly<Record<string, string>> = {}) {
    // Units of systemd are root's to write: here they go to the test's folder.
    const text = readFileSync(join(scripts, "move.sh"), "utf8").replaceAll("/etc/systemd/system", home);
    const { status, stdout, stderr } = spawnSync("sh", ["-s"], {
      input: `main() {\n${text}\n}\nmain </dev/null\n`,
      env: { ...variables(action), ...more },
      encoding: "utf8",
    });
    return { code: status, stdout, stderr };
  }
  const running = () => readdirSync(join(home, "running"));
  const files = () => [...seen(act("look").stdout).files];
  const resume = () => execFileSync("sh", [join(scripts, "resume.sh")], { env: variables("resume") });
  const silentFor = (seconds: number) => {
    const then = Date.now() / 1000 - seconds;
    utimesSync(join(directory, "lease"), then, then);
  };

  it("stops all that writes, and leaves the stores for the count", () => {
    const { code, stdout } = act("stop", { ID: "one" });
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toEqual(ALL);
    expect(running()).toEqual(["nats", "postgres", "redis"]);
    expect(files()).toContain("stopped.one");
  });

  it("knows what ran before, also where an earlier stop was interrupted", () => {
    act("stop", { ID: "one" });
    expect(act("stop", { ID: "two" }).stdout.trim().split("\n")).toEqual(ALL);
    expect(files()).toContain("stopped.two");
    expect(files()).not.toContain("stopped.one");
  });

  it("starts again by itself once nobody shows a sign, and not before", () => {
    act("stop", { ID: "one" });
    act("stop-all");
    expect(running()).toEqual([]);
    silentFor(100);
    resume();
    expect(running()).toEqual([]);
    silentFor(200);
    resume();
    expect(running()).toEqual(ALL);
    // What has started again cannot be fenced by the command that had stopped it.
    const late = act("fence", { ID: "one" });
    expect(late.code).toBe(1);
    expect(late.stderr).toContain("has started again by itself");
    expect(files()).not.toContain("fenced");
  });

  it("is fenced by the command that stopped it alone, and never starts again", () => {
    act("stop", { ID: "one" });
    expect(act("fence", { ID: "two" }).code).toBe(1);
    expect(act("fence", { ID: "one" }).code).toBe(0);
    expect(act("fence", { ID: "one" }).code, "once more").toBe(0);
    expect(readFileSync(join(home, "updated"), "utf8")).toContain("--restart no");
    silentFor(1000);
    resume();
    expect(running()).toEqual([]);
    expect(act("stop", { ID: "three" }).stderr).toContain("is fenced");
    expect(readFileSync(join(directory, "fenced"), "utf8").trim().split("\n")).toEqual(ALL);
  });

  it("has its kill switch on once it is fenced, and hands the switch over as it was before", () => {
    const folder = join(home, "files", "kill-switch");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "history.jsonl"), "{}");
    const before = act("switch").stdout;
    act("stop", { ID: "one" });
    const more = { CONTENT: Buffer.from("moved").toString("base64") };
    act("fence", { ID: "one", ...more });
    act("seal", more);
    expect(readFileSync(join(folder, "on.prom"), "utf8")).toBe("moved");
    const after = act("switch").stdout;
    const listed = (copy: string) =>
      execFileSync("tar", ["-t"], { input: Buffer.from(copy, "base64"), encoding: "utf8" })
        .split("\n")
        .sort();
    expect(listed(after)).toEqual(listed(before));
  });

  it("starts what ran where the move is taken back", () => {
    rmSync(join(home, "running", "execution-ib"));
    act("stop", { ID: "one" });
    act("stop-all");
    expect(act("resume").code).toBe(0);
    expect(running()).toEqual(ALL.filter((name) => name !== "execution-ib"));
  });

  it("reads a file again where its content may have changed, and tells two contents apart", () => {
    const file = join(home, "volume", "a name");
    const sums = () => act("sums", { VOLUMES: "v" }).stdout.trim().split(" ");
    writeFileSync(file, "one");
    const [, first, , count, bytes, unread] = sums();
    expect([count, bytes, unread]).toEqual(["1", "3", "0"]);
    expect(sums()[1]).toBe(first);
    writeFileSync(file, "two");
    expect(sums()[1]).not.toBe(first);
    writeFileSync(file, "one");
    expect(sums()[1]).toBe(first);
    const [, , names] = sums();
    chmodSync(file, 0o600);
    expect(sums()[2]).not.toBe(names);
  });

  it("takes the kill switch as the other host has it", () => {
    const folder = join(home, "files", "kill-switch");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "on.prom"), "set");
    const copy = act("switch").stdout;
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(join(folder, "stopped"), "of a new stack");
    expect(act("set-switch", { CONTENT: copy }).code).toBe(0);
    expect(readdirSync(folder)).toEqual(["on.prom"]);
    act("set-switch", { CONTENT: "" });
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(true);
  });
});
