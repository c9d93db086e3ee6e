import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { stopFormerScript } from "../../../components/data/formerPasswords.ts";
import type { Target } from "../../../components/runtime/target.ts";
import { runPlatform } from "../lib/platform.ts";

const target = { dockerSocket: "unix:///x", labels: { "autollm.stack": "s" } } as unknown as Target;

/** Runs the script beside a `docker` that lists the containers of each workload, newest first; answers what is stopped. */
function stopped(running: Readonly<Record<string, readonly string[]>>): string[] {
  const directory = mkdtempSync(join(tmpdir(), "autollm-former-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const log = join(directory, "stopped");
  const lists = Object.entries(running).map(
    ([name, ids]) => `*"label=autollm.service=${name} "*) printf '%s\\n' ${ids.join(" ")} ;;`,
  );
  const docker = `#!/bin/sh\ncase "$* " in *" stop "*) shift 3; echo "$*" >>${log} ;; ${lists.join(" ")} esac\n`;
  writeFileSync(join(directory, "docker"), docker);
  chmodSync(join(directory, "docker"), 0o755);
  writeFileSync(log, "");
  const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
  execFileSync("sh", ["-c", stopFormerScript(target, Object.keys(running))], { env });
  return readFileSync(log, "utf8").trim().split("\n").sort();
}

describe("the end of a rotation", () => {
  it("stops each container but the newest of its workload", () => {
    const running = {
      "gateway-api": ["new", "old"],
      reporter: ["only"],
      backup: [],
      "news-ingestor": ["n", "o1", "o2"],
    };
    expect(stopped(running)).toEqual(["o1", "o2", "old"]);
  });

  it("comes after every reader, and runs again if a password changes, generated or supplied", async () => {
    const [before, after] = [await runPlatform(), await runPlatform()];
    const command = (run: typeof before, name: string) => run.find("command:local:Command", name).inputs;
    for (const server of ["redis", "nats", "postgres"]) {
      const triggers = command(before, `${server}-settled`).triggers as string[];
      expect(triggers.at(-1)).toMatch(/^[0-9a-f]{16}$/);
      // Another run of the mocks makes other passwords.
      expect(command(after, `${server}-settled`).triggers).not.toEqual(triggers);
    }
    expect(command(before, "former-containers").create).toContain("gateway-api");
    expect(command(before, "postgres-settled").create).toContain("end-former-sessions.sql");
  });
});
