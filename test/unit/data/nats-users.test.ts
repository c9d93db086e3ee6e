import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";

// It runs programs, on a machine that may do other work as well.
vi.setConfig({ testTimeout: 120_000 });

const USERS = ["execution-crypto", "execution-ib", "reporter"];
const users = (names: readonly string[]) => `${names.map((name) => `"user": "${name}"`).join("\n")}\n`;

/** A server that takes a config a moment after it is told to, as NATS does. */
const PROGRAMS = {
  wget: [
    'case "$*" in',
    '*varz*) sed "s/^/\\"config_load_time\\": /" "$home/time" ;;',
    '*) cat "$home/connz" ;;',
    "esac",
  ],
  "nats-server": [
    'case "$*" in',
    '*-t) ! grep -q bad "$home/tmp/users.conf" || { echo "bad user"; exit 1; } ;;',
    '*--signal*) (sleep 0.2; cp "$home/tmp/users.conf" "$home/loaded"; date +%s%N >"$home/time") >/dev/null 2>&1 & ;;',
    "esac",
  ],
  pidof: ["echo 1"],
} as const;

describe("NATS's users", () => {
  let home = "";
  const file = (name: string) => join(home, name);
  const write = (name: string, content: string) => writeFileSync(file(name), content);
  const tell = (...words: readonly string[]) =>
    run("sh", [file("etc/users.sh"), ...words], {
      env: { PATH: `${file("bin")}:${process.env.PATH}`, home },
      allowFailure: true,
    });
  const loaded = () => readFileSync(file("loaded"), "utf8");

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-nats-users-"));
    for (const folder of ["bin", "etc", "tmp", "data", "switch", "live/current", "live/claims"])
      mkdirSync(file(folder), { recursive: true });
    for (const [program, lines] of Object.entries(PROGRAMS)) {
      write(`bin/${program}`, `#!/bin/sh\n${lines.join("\n")}\n`);
      chmodSync(file(`bin/${program}`), 0o755);
    }
    for (const script of ["nats-users", "overlap"]) {
      const text = readFileSync(join(root, "components", "data", `${script}.sh`), "utf8");
      const places = {
        "run/live": "live",
        "run/kill-switch": "switch",
        "etc/autollm": "etc",
        data: "data",
        tmp: "tmp",
      };
      const here = text
        .replace(
          /(?<=[\s=>])\/(run\/live|run\/kill-switch|etc\/autollm|data|tmp)(?=\/)/g,
          (_, place: keyof typeof places) => file(places[place]),
        )
        .replace("patience=60", "patience=5");
      write(`etc/${script.replace("nats-", "")}.sh`, here);
    }
    write("live/current/generations", "1\n");
    write("live/current/settled", users(USERS));
    write("live/current/settled-halted", users(["reporter"]));
    write("time", "1\n");
    write("connz", "");
    write("loaded", "");
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  test("are those of every claim, even if two services claim at the same time", async () => {
    for (let round = 0; round < 5; round++) {
      const claims = ["execution-crypto", "execution-ib"].map(async (service) => {
        const nonce = `${round}${service.length}`;
        write(`live/claims/${service}`, nonce);
        const { code, stderr } = await tell("fence", service, nonce);
        expect(code, stderr).toBe(0);
        // What it waited for is in force.
        expect(loaded()).toContain(`"user": "${service}.${nonce}"`);
      });
      await Promise.all(claims);
      expect(loaded()).toBe(users([`execution-crypto.${round}16`, `execution-ib.${round}12`, "reporter"]));
    }
  });

  test("are without executors when the kill switch is set during a claim", async () => {
    write("live/claims/execution-ib", "abc");
    const claim = tell("fence", "execution-ib", "abc");
    write("switch/on.prom", "");
    expect(await tell("reload")).toMatchObject({ code: 0, stderr: "" });
    await claim;
    expect(loaded()).toBe(users(["reporter"]));
  });

  test("are not those of a claim while a former connection is there", async () => {
    write("live/claims/execution-ib", "abc");
    write("connz", '"authorized_user": "execution-ib.bee"\n');
    const { code, stderr } = await tell("fence", "execution-ib", "abc");
    expect([code, stderr]).toEqual([1, "nats: a former user of execution-ib is still connected\n"]);
    write("connz", '"authorized_user": "execution-ib.abc"\n"authorized_user": "reporter"\n');
    expect((await tell("fence", "execution-ib", "abc")).code).toBe(0);
  });

  test("that the server refuses leave the former ones in force, also for its next start", async () => {
    expect(await tell("reload")).toMatchObject({ code: 0, stderr: "" });
    write("live/current/settled", "bad\n");
    const { code, stderr } = await tell("reload");
    expect([code, stderr]).toEqual([1, "nats: the users were refused: bad user\n"]);
    expect(loaded()).toBe(users(USERS));
    expect(readFileSync(file("tmp/users.conf"), "utf8")).toBe(users(USERS));
  });

  test("wait for a server that lets an answer wait, and say so when none comes", async () => {
    write(
      "bin/wget",
      `#!/bin/sh\necho x >>"${file("asked")}"\n[ "$(wc -l <"${file("asked")}")" -gt 2 ] || exit 1\n${PROGRAMS.wget.join("\n")}\n`,
    );
    expect(await tell("reload")).toMatchObject({ code: 0, stderr: "" });
    write("bin/wget", "#!/bin/sh\nexit 1\n");
    const { code, stderr } = await tell("reload");
    expect([code, stderr]).toEqual([1, "nats: it does not answer at http://nats.nats:8222\n"]);
  });
});
