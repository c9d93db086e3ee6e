import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { postgresVersionScript } from "../../../components/data/postgresVersion.ts";
import { fakeDocker } from "../lib/fakeDocker.ts";
import { localConfig, runPlatform } from "../lib/platform.ts";

const COMMAND = "command:local:Command";
let home = "";
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

/** Runs the script with a client of Docker whose container says this. */
function look(said: string, code = 0) {
  home = fakeDocker(`echo "$*" >"$DOCKER_HOME/asked"\nprintf '%b' '${said}'\nexit ${code}\n`);
  const script = postgresVersionScript({
    ...{ dockerSocket: "unix:///none", stack: "staging", user: "70:70" },
    ...{ imageId: "sha256:1", reference: "postgres:18.6", volume: "postgres-data-0000001" },
  });
  const { status, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8", env: process.env });
  return { status, stderr: stderr.trim() };
}

const debian = (version: string) => `postgres (PostgreSQL) ${version} (Debian ${version}-1)\\n`;

describe("before Postgres is replaced", () => {
  it("its image may have the version of its data, and a new volume has none", () => {
    expect(look(`${debian("17.11")}17\\n`)).toEqual({ status: 0, stderr: "" });
    expect(look(debian("18.6"))).toEqual({ status: 0, stderr: "" });
    expect(look("postgres (PostgreSQL) 18beta1\\n18\\n")).toEqual({ status: 0, stderr: "" });
  });

  it("another major version is refused in one line that names image, volume, both versions and the command", () => {
    const { status, stderr } = look(`${debian("18.6")}17\\n`);
    expect(status).toBe(1);
    expect(stderr).toBe(
      "postgres: its image postgres:18.6 has Postgres 18, and the volume postgres-data-0000001 has data of Postgres 17, on which that does not start. Postgres was not touched. To bring the data to that version: ./autollm upgrade --stack staging (docs/backup.md, Another major version of a store)",
    );
  });

  it("an image that is older than the data is refused, and no upgrade is offered", () => {
    const { status, stderr } = look(`${debian("17.11")}18\\n`);
    expect(status).toBe(1);
    expect(stderr).toContain("has Postgres 17, and the volume postgres-data-0000001 has data of Postgres 18");
    expect(stderr).not.toContain("./autollm upgrade");
    expect(stderr).toContain("heldImages.postgres");
  });

  it("an image that says nothing, or does not run, fails the update as well", () => {
    expect(look("").status).toBe(1);
    expect(look("", 125).status).toBe(125);
  });
});

describe("the step that looks", () => {
  it("runs when image or volume change, before the container is made, and adds nothing to that", async () => {
    const recording = await runPlatform();
    const step = recording.find(COMMAND, "postgres-version");
    expect(step.inputs.triggers).toHaveLength(2);
    const container = recording.find("docker:index/container:Container", "postgres");
    expect(container.dependsOn).toContain(step.urn);
    // Running stacks keep their container: its environment is what it was.
    expect(recording.container("postgres").envs).toEqual([]);
    expect(String(step.inputs.create)).toContain("--network none --read-only --cap-drop ALL");
  });

  it("is about the image that is held, where one is", async () => {
    const kept = `postgres:17.11@sha256:${"ab".repeat(32)}`;
    const recording = await runPlatform({ config: { ...localConfig, heldImages: JSON.stringify({ postgres: kept }) } });
    expect(String(recording.find(COMMAND, "postgres-version").inputs.create)).toContain(kept);
    expect(JSON.stringify(recording.container("postgres").labels)).toContain(kept);
  });
});
