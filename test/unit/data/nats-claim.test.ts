import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimScript } from "../../../components/data/natsClaim.ts";
import { executors } from "../../../components/platform/catalogue.ts";
import { fillEnvironment } from "../../../components/platform/filled.ts";
import { NATS_USER_MARK } from "../../../components/platform/natsUser.ts";
import { refer } from "../../../components/platform/references.ts";
import { runPlatform } from "../lib/platform.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autollm-claim-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a claim with a Docker client of ours, which notes what it is asked and lists containers by service and state. */
function claim(containers: Readonly<Record<string, string>>, exec = 0) {
  const cases = Object.entries(containers).map(
    ([key, id]) => `*"autollm.service=${key.split(" ")[0]} "*"status=${key.split(" ")[1]}"*) echo ${id} ;;`,
  );
  writeFileSync(
    join(folder, "docker"),
    `#!/bin/sh
shift 2
[ "$1" = ps ] || { [ -e ${folder}/claims/execution-ib ] && echo "claimed: $*" || echo "$*"; } >>${folder}/asked
case "$1 $*" in ps*) case "$* " in ${cases.join(" ")} esac ;; exec*) exit ${exec} ;; esac
`,
  );
  chmodSync(join(folder, "docker"), 0o755);
  const script = claimScript({ dockerSocket: "unix:///none", stack: "s", service: "execution-ib", directory: folder });
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: `${folder}:${process.env.PATH}` },
  });
  const asked = existsSync(join(folder, "asked")) ? readFileSync(join(folder, "asked"), "utf8").trim().split("\n") : [];
  return { status, stdout, stderr, asked };
}

describe("an executor's claim", () => {
  it("ends the former one while it may still tell what it did, then has NATS refuse it, and prints what names the new one", () => {
    const { status, stdout, asked } = claim({ "nats running": "n1", "execution-ib running": "old" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{16}$/);
    expect(asked).toEqual(["stop old", `claimed: exec n1 /bin/sh /etc/autollm/users.sh fence execution-ib ${stdout}`]);
    expect(readFileSync(join(folder, "claims", "execution-ib"), "utf8")).toBe(stdout);
  });

  it("is another one each time", () => {
    const first = claim({ "nats running": "n1" }).stdout;
    expect(claim({ "nats running": "n1" }).stdout).not.toBe(first);
  });

  it("does not wake a former one that is paused", () => {
    expect(claim({ "nats running": "n1", "execution-ib paused": "old" }).asked[0]).toBe("kill old");
  });

  it("fails, and lets the former one run, where NATS does not: nothing would prove that it gets no order", () => {
    const { status, stdout, stderr, asked } = claim({ "execution-ib running": "old" });
    expect({ status, stdout, asked }).toEqual({ status: 1, stdout: "", asked: [] });
    expect(stderr).toContain("execution-ib: NATS does not run");
  });

  it("fails where a connection of the former one is left", () => {
    expect(claim({ "nats running": "n1" }, 1)).toMatchObject({ status: 1, stdout: "" });
  });
});

describe("the executors' settings", () => {
  it("have a mark for the name of the NATS user, in files alone, which are not plain variables", () => {
    const { plain, secret } = fillEnvironment(
      "execution-ib",
      { WHO: refer("address", "nats.user"), WHERE: refer("address", "nats.host") },
      { settings: { generation: {} }, ibPort: 4002, read: () => undefined } as never,
    );
    expect(plain).toEqual({ WHERE: "nats" });
    expect(Object.keys(secret)).toEqual(["WHO"]);
    expect(NATS_USER_MARK).toBe("@@NATS_USER@@");
  });

  it("come with a claim before each container", async () => {
    const platform = await runPlatform();
    for (const [name, , { dependsOn }] of platform.containers)
      expect(
        dependsOn.some((urn) => urn.endsWith(`::${name}-claim`)),
        name,
      ).toBe(executors.some((each) => each === name));
  });
});
