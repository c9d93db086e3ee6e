import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mendInterrupted } from "../../tools/lib/interrupted.ts";
import type { RunOptions } from "../../tools/lib/run.ts";
import type { Workspace } from "../../tools/lib/workspace.ts";

/** A program in Docker's place: it knows the containers named in a file, and notes what it is told to remove. */
const script = `#!/bin/sh
shift 2
echo "$*" >> "$DOCKER_HOME/calls"
case "$1 $2" in
  "container inspect") grep -qx "$3" "$DOCKER_HOME/containers" ;;
esac
`;

describe("what a killed update left", () => {
  let home: string;
  let imported: string | undefined;
  let cancelled: boolean;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "autollm-test-"));
    imported = undefined;
    cancelled = false;
    writeFileSync(join(home, "docker"), script);
    chmodSync(join(home, "docker"), 0o755);
    vi.stubEnv("PATH", `${home}${delimiter}${process.env.PATH}`);
    vi.stubEnv("DOCKER_HOME", home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });

  const container = (name: string, id?: string) => ({
    urn: `urn:pulumi:x::autollm::docker:index/container:Container::${name}`,
    type: "docker:index/container:Container",
    ...(id === undefined ? {} : { id }),
    inputs: { name: `${name}-1` },
  });

  function workspace(deployment: object): Workspace {
    const pulumi = async ([group, verb]: readonly string[], { input }: RunOptions = {}) => {
      if (group === "cancel") cancelled = true;
      if (verb === "import") imported = input;
      const answer = verb === "export" ? { version: 3, deployment } : {};
      return { code: 0, stdout: JSON.stringify(answer), stderr: "" };
    };
    return { stack: "x", cwd: home, local: true, pulumi } as unknown as Workspace;
  }

  function lock(pid: number, host = hostname()): void {
    const folder = join(home, "state", ".pulumi", "locks", "organization", "autollm", "x");
    mkdirSync(folder, { recursive: true });
    const content = { pid, username: "trader", hostname: host, timestamp: "2026-01-01T00:00:00Z" };
    writeFileSync(join(folder, "1.json"), JSON.stringify(content));
  }

  it("is nothing where it came to its end: the state is not touched", async () => {
    await mendInterrupted(workspace({ resources: [container("redis", "a")] }));
    expect([imported, cancelled, existsSync(join(home, "calls"))]).toEqual([undefined, false, false]);
  });

  it("is a container that no state names, which is removed, and notes of one that is gone, which are dropped", async () => {
    writeFileSync(join(home, "containers"), "redis-1\n");
    const resources = [container("redis", "old"), container("nats", "gone")];
    const pending_operations = [
      { type: "creating", resource: container("redis") },
      { type: "deleting", resource: container("nats", "gone") },
    ];
    await mendInterrupted(workspace({ resources, pending_operations }));
    expect(readFileSync(join(home, "calls"), "utf8")).toContain("rm --force --volumes redis-1\n");
    const { version, deployment } = JSON.parse(imported ?? "") as { version: number; deployment: object };
    expect([version, deployment]).toEqual([3, { resources: [container("redis", "old")] }]);
  });

  it("is a lock, which goes with its engine", async () => {
    // The largest number of a process, and one more (Linux, pid_max).
    lock(4_194_305);
    await mendInterrupted(workspace({}));
    expect(cancelled).toBe(true);
  });

  it("is not the lock of another machine: its holder is named, and nothing is done", async () => {
    lock(1, "another-machine");
    await expect(mendInterrupted(workspace({}))).rejects.toThrow(/being updated by trader@another-machine, process 1/);
    expect(cancelled).toBe(false);
  });
});
