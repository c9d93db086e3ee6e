import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { setHeld } from "../../../tools/lib/held.ts";
import { repairInterrupted, without } from "../../../tools/lib/interrupted.ts";
import type { RunOptions } from "../../../tools/lib/run.ts";
import type { Workspace } from "../../../tools/lib/workspace.ts";
import { fakeDocker } from "../lib/fakeDocker.ts";

/** A program in Docker's place: it knows the containers named in a file, and notes what it is told to remove. */
const script = `shift 2
echo "$*" >> "$DOCKER_HOME/calls"
case "$1 $2" in
  "container inspect") grep -qx "$3" "$DOCKER_HOME/containers" ;;
esac
`;

describe("a state without what was removed by hand", () => {
  const urn = (name: string) => `urn:pulumi:x::autollm::docker:index/container:Container::${name}`;
  const type = "docker:index/container:Container";
  const resources = [
    { urn: urn("a"), type, id: "1" },
    { urn: urn("a"), type, id: "2" },
    { urn: urn("b"), type, id: "3" },
    {
      ...{ urn: "urn:c", type: "command:local:Command", id: "3", deletedWith: urn("b") },
      dependencies: [urn("a"), urn("b")],
      propertyDependencies: { create: [urn("b")], triggers: null, stdin: [urn("a")] },
    },
  ];

  it("says of nothing that it needs what is gone, and keeps what is there under the same name", () => {
    const left = without({ resources }, new Set(["2", "3"]));
    expect(left.resources).toEqual([
      resources[0],
      {
        ...{ urn: "urn:c", type: "command:local:Command", id: "3" },
        dependencies: [urn("a")],
        propertyDependencies: { create: [], triggers: [], stdin: [urn("a")] },
      },
    ]);
  });
});

describe("what a killed update left", () => {
  let home: string;
  let imported: string | undefined;
  let cancelled: boolean;
  beforeEach(() => {
    home = fakeDocker(script);
    imported = undefined;
    cancelled = false;
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
    await repairInterrupted(workspace({ resources: [container("redis", "a")] }));
    expect([imported, cancelled, existsSync(join(home, "calls"))]).toEqual([undefined, false, false]);
  });

  it("is a container that no state names, which is removed, and notes of one that is gone, which are dropped", async () => {
    writeFileSync(join(home, "containers"), "redis-1\n");
    const resources = [container("redis", "old"), container("nats", "gone")];
    const pending_operations = [
      { type: "creating", resource: container("redis") },
      { type: "deleting", resource: container("nats", "gone") },
    ];
    await repairInterrupted(workspace({ resources, pending_operations }));
    expect(readFileSync(join(home, "calls"), "utf8")).toContain("rm --force --volumes redis-1\n");
    const { version, deployment } = JSON.parse(imported ?? "") as { version: number; deployment: object };
    expect([version, deployment]).toEqual([3, { resources: [container("redis", "old")] }]);
  });

  it("is a lock, which goes with its engine", async () => {
    // The largest number of a process, and one more (Linux, pid_max).
    lock(4_194_305);
    await repairInterrupted(workspace({}));
    expect(cancelled).toBe(true);
  });

  describe("on a stack that others change too", () => {
    const pending_operations = [{ type: "creating", resource: container("redis") }];

    /** As the workspace above, with what the backend says about updates that run. */
    function shared(
      summary: object,
      rename = "error: a stack named x already exists",
      history: object[] = [],
    ): Workspace {
      const own = workspace({ resources: [], pending_operations });
      const pulumi = async (args: readonly string[], options?: RunOptions) => {
        const words = args.slice(0, 2).join(" ");
        if (words === "stack ls")
          return { code: 0, stdout: JSON.stringify([{ name: "organization/autollm/x", ...summary }]), stderr: "" };
        if (words === "stack rename") return { code: 255, stdout: "", stderr: rename };
        if (words === "stack history") return { code: 0, stdout: JSON.stringify(history), stderr: "" };
        if (args[0] === "config") return { code: 0, stdout: "{}", stderr: "" };
        return own.pulumi(args, options);
      };
      return { ...own, local: false, pulumi } as Workspace;
    }
    const locked = (pid: number, host: string) =>
      `error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with \`pulumi cancel\`.\n  s3://bucket/.pulumi/locks/organization/autollm/x/1.json: created by ada@${host} (pid ${pid}) at 2026-01-01T00:00:00Z`;
    const untouched = () =>
      expect([imported, cancelled, existsSync(join(home, "calls"))]).toEqual([undefined, false, false]);
    beforeEach(() => writeFileSync(join(home, "containers"), "redis-1\n"));
    afterEach(() => setHeld("x", undefined));

    it("it removes nothing while Pulumi Cloud says that an update runs, and tells whose", async () => {
      const running = [{ kind: "update", result: "in-progress", startTime: "T", environment: { "git.author": "ada" } }];
      await expect(repairInterrupted(shared({ updateInProgress: true }, "", running))).rejects.toThrow(
        /stack x is being updated by an engine \(ada\) since T/,
      );
      untouched();
    });

    it("it removes nothing while object storage holds an engine's lock, and tells whose", async () => {
      await expect(repairInterrupted(shared({}, locked(7, "another-machine")))).rejects.toThrow(
        /being updated by ada@another-machine, process 7, since 2026-01-01T00:00:00Z.*pulumi cancel --stack x/,
      );
      untouched();
    });

    it("it removes nothing where it cannot see whether an engine is at work", async () => {
      await expect(repairInterrupted(shared({}, "error: no access to the bucket"))).rejects.toThrow(/cannot be seen/);
      untouched();
    });

    it("it takes no lock for dead by its host's name alone, as two machines may share one", async () => {
      await expect(repairInterrupted(shared({}, locked(4_194_305, hostname())))).rejects.toThrow(
        /being updated by ada/,
      );
      untouched();
    });

    it("it removes the lock of an engine that was killed here with its command, and repairs what that left", async () => {
      setHeld("x", { diedHere: true });
      await repairInterrupted(shared({}, locked(4_194_305, hostname())));
      expect(cancelled).toBe(true);
      expect(readFileSync(join(home, "calls"), "utf8")).toContain("rm --force --volumes redis-1\n");
    });

    it.each([
      ["Pulumi Cloud", { updateInProgress: false }],
      ["object storage", {}],
    ])("it repairs what a dead update left when %s says that none runs", async (_, summary) => {
      await repairInterrupted(shared(summary));
      expect(readFileSync(join(home, "calls"), "utf8")).toContain("rm --force --volumes redis-1\n");
      expect(imported).toBeDefined();
    });
  });

  it("is not the lock of another machine: its holder is named, and nothing is done", async () => {
    lock(1, "another-machine");
    await expect(repairInterrupted(workspace({}))).rejects.toThrow(
      /being updated by trader@another-machine, process 1/,
    );
    expect(cancelled).toBe(false);
  });
});
