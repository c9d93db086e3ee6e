import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

const script = new URL("../../../components/host/steps/watchdog.sh", import.meta.url).pathname;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "autollm-watchdog-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  for (const folder of ["bin", "metrics", "volume"]) mkdirSync(join(home, folder));
});

/** A program on the watchdog's PATH. */
function program(name: string, body: string): void {
  const path = join(home, "bin", name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

/** What it says and restarts in some looks at one container, whose places have some room in KiB and some free files of as many. */
function looks(
  times: number,
  status: string,
  room: number,
  files: readonly [number | "-", number | "-"] = [1000, 500],
) {
  program(
    "docker",
    [
      'case "$1" in',
      `ps) echo 'redis-1 redis ${status}' ;;`,
      `info) echo ${home} ;;`,
      `inspect) echo ${home}/volume ;;`,
      `restart) echo "$2" >>${home}/restarted ;;`,
      "esac",
    ].join("\n"),
  );
  // The volume has what is told, and Docker's own directory has enough.
  program(
    "df",
    `case "$*" in *volume) echo h; echo '${room} ${files.join(" ")}' ;; *) echo h; echo '9999999 1000 500' ;; esac`,
  );
  writeFileSync(join(home, "restarted"), "");
  const env = {
    PATH: `${join(home, "bin")}:${process.env.PATH}`,
    WATCHDOG_STATE: join(home, "state"),
    WATCHDOG_METRICS: join(home, "metrics"),
  };
  const said = Array.from({ length: times }, () => spawnSync("sh", [script], { env, encoding: "utf8" }).stdout).join(
    "",
  );
  return { said, restarts: readFileSync(join(home, "restarted"), "utf8").split("\n").filter(Boolean).length };
}

describe("the watchdog", () => {
  it("restarts a container at its third unhealthy look", () => {
    expect(looks(2, "Up 5 minutes (unhealthy)", 1_000_000).restarts).toBe(0);
    expect(looks(1, "Up 5 minutes (unhealthy)", 1_000_000)).toEqual({
      said: "restarting redis-1: unhealthy for 3 checks\n",
      restarts: 1,
    });
  });

  it("leaves one alone that is starting, for however long", () => {
    expect(looks(20, "Up 20 minutes (health: starting)", 1_000_000)).toEqual({ said: "", restarts: 0 });
  });

  it.each([
    ["no room", 0, [1000, 500]],
    ["less room than a store's next file takes", 20_000, [1000, 500]],
    ["no file left", 1_000_000, [1000, 0]],
  ] as const)("restarts no container that has %s to write to, and counts again from the start", (_, room, files) => {
    const { said, restarts } = looks(7, "Up 2 hours (unhealthy)", room, files);
    expect(restarts).toBe(0);
    expect(said).toBe(`not restarting redis-1, which is unhealthy: ${home}/volume has no room\n`.repeat(2));
    expect(looks(2, "Up 2 hours (unhealthy)", 1_000_000).restarts).toBe(1);
  });

  it.each([
    ["that have no fixed number of files", [0, 0]],
    ["that tell of none", ["-", "-"]],
  ] as const)("knows file systems %s", (_, files) => {
    expect(looks(3, "Up 2 hours (unhealthy)", 1_000_000, files).restarts).toBe(1);
  });
});
