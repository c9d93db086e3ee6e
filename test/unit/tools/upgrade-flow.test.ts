import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Daemon } from "../../../tools/lib/daemon.ts";
import type { ClusterFolders, Kept } from "../../../tools/lib/upgrade/clusters.ts";

/** What was done, in its order. */
const done: string[] = [];
/** The steps that fail, and with what. */
const faults = new Map<string, string>();
const act = (what: string) => {
  done.push(what);
  const fault = faults.get(what);
  if (fault !== undefined) throw new Error(fault);
};

vi.mock("../../../tools/lib/log.ts", async (original) => ({
  ...(await original<typeof import("../../../tools/lib/log.ts")>()),
  say: () => undefined,
  step: async (_what: string, _expectation: string, work: () => Promise<unknown>) => work(),
}));
vi.mock("../../../tools/lib/upgrade/newCluster.ts", () => ({ fillNewCluster: async () => act("fill") }));
vi.mock("../../../tools/lib/upgrade/trial.ts", () => ({ tryNewVersion: async () => act("trial") }));
vi.mock("../../../tools/lib/upgrade/server.ts", () => ({ UpgradeServer: { removeLeft: async () => undefined } }));
vi.mock("../../../tools/lib/restore/pointInTime.ts", () => ({
  PointInTime: { of: async () => ({ storeAll: async () => act("store the log") }) },
}));
vi.mock("../../../tools/lib/restore/restore.ts", () => ({
  keptRunning: () => ["portfolio-ledger", "execution-ib"],
  healthy: async () => undefined,
}));

const { upgradePostgres } = await import("../../../tools/lib/upgrade/upgrade.ts");

/** A host with one stack, as far as an upgrade sees it. */
class Host {
  /** The image of Postgres's container; undefined without one. */
  image: string | undefined = "old";
  health = "healthy";
  data = 17;
  kept: Kept[] = [];
  running = new Set(["postgres-1", "portfolio-ledger-1", "execution-ib-1"]);
  missing: readonly { schema: string; owner: string; reason: string }[] = [];

  readonly daemon = {
    stack: "local",
    container: async (name: string) => `${name}-1`,
    containers: async () =>
      new Map(
        ["portfolio-ledger", "execution-ib", "backup", ...(this.image === undefined ? [] : ["postgres"])].map(
          (name) => [name, { name: `${name}-1`, running: this.running.has(`${name}-1`) }],
        ),
      ),
    ask: async (...words: readonly string[]) => {
      const [verb = "", ...names] = words;
      if (verb === "inspect") return words.includes("{{.Image}}") ? this.image : `${this.image} ${this.health}`;
      act(`${verb} ${names.join(" ")}`);
      for (const name of names) this.running[verb === "start" ? "add" : "delete"](name);
      return "";
    },
    run: async (words: readonly string[]) => {
      const what = words.includes("open")
        ? "read the backup"
        : words.includes("--state")
          ? "first backup"
          : "last backup";
      act(what);
      const manifest = { postgres: { faults: this.missing, lost: [] } };
      return { code: 0, stdout: JSON.stringify({ id: "1", manifest }), stderr: "" };
    },
  } as unknown as Daemon;

  readonly folders = {
    look: async () => ({ data: this.data, bytes: 1, freeBytes: 2, kept: this.kept }),
    settle: async () => undefined,
    imageOf: async () => "postgres:17@sha256:0",
    swap: async () => {
      act("swap");
      [this.data, this.kept] = [18, [{ major: 17, bytes: 1, mayReturn: true }]];
    },
    settleOnNew: async () => {
      act("settle on the new");
      this.kept = this.kept.map((kept) => ({ ...kept, mayReturn: false }));
    },
    swapBack: async () => {
      act("swap back");
      [this.data, this.kept] = [17, []];
    },
  } as unknown as ClusterFolders;

  upgrade = (held: readonly string[] = []) =>
    upgradePostgres({
      ...{ daemon: this.daemon, folders: this.folders, former: 17, reference: "postgres:17@sha256:0", held },
      volume: { daemon: this.daemon, name: "postgres-data", user: "70:70", image: "old" },
      wanted: { reference: "postgres:18@sha256:1", id: "new", major: 18 },
      state: async () => "{}",
      bringUp: async (image) => {
        this.image = image === undefined ? "new" : "old";
        act(`up${image === undefined ? "" : ` with ${image}`}`);
        this.running.add("postgres-1");
      },
    });
}

let host: Host;
beforeEach(() => {
  done.length = 0;
  faults.clear();
  host = new Host();
});

const SERVICES = "portfolio-ledger-1 execution-ib-1";
const UNTIL_SWAP = [
  ...[
    "start postgres-1",
    "first backup",
    `stop ${SERVICES}`,
    "store the log",
    "last backup",
    "read the backup",
    "fill",
  ],
  ...["stop postgres-1", "swap"],
];

describe("an upgrade of Postgres", () => {
  it("backs up, stops who writes, fills, swaps, tries, brings up and starts, in this order", async () => {
    await host.upgrade();
    expect(done).toEqual([...UNTIL_SWAP, "stop postgres-1", "trial", "up", "settle on the new", `start ${SERVICES}`]);
  });

  it("leaves executors stopped that are held", async () => {
    await host.upgrade(["execution-ib"]);
    expect(done.at(-1)).toBe("start portfolio-ledger-1");
  });

  it("stops nothing if the first backup fails", async () => {
    faults.set("first backup", "the disk is full");
    await expect(host.upgrade()).rejects.toThrow("the disk is full");
    expect(done).toEqual(["start postgres-1", "first backup"]);
  });

  it.each(["store the log", "last backup", "read the backup", "fill"])(
    "starts what it stopped, and leaves Postgres alone, if this fails: %s",
    async (what) => {
      faults.set(what, "no");
      await expect(host.upgrade()).rejects.toThrow(/NOT upgraded: no\nPostgres 17 runs again .* Nothing is lost/);
      expect(done).not.toContain("stop postgres-1");
      expect(done).not.toContain("swap");
      expect(done.at(-1)).toBe(`start ${SERVICES}`);
      expect(host.data).toBe(17);
    },
  );

  it("refuses a backup that lacks a part", async () => {
    host.missing = [{ schema: "risk_manager", owner: "risk_manager", reason: "locked" }];
    await expect(host.upgrade()).rejects.toThrow("the backup lacks parts of Postgres: schema risk_manager: locked");
    expect(done).not.toContain("fill");
    expect(done.at(-1)).toBe(`start ${SERVICES}`);
  });

  it("puts the former cluster back into its container if the new version does not start", async () => {
    faults.set("trial", "no_such_setting");
    await expect(host.upgrade()).rejects.toThrow("NOT upgraded: no_such_setting");
    expect(done.slice(-4)).toEqual(["stop postgres-1", "swap back", "start postgres-1", `start ${SERVICES}`]);
    expect(host.image).toBe("old");
  });

  it("puts cluster and image back, by what is held, if the update had replaced the container and it is unhealthy", async () => {
    faults.set("up", "not healthy");
    host.health = "unhealthy";
    await expect(host.upgrade()).rejects.toThrow("NOT upgraded: not healthy");
    expect(done.slice(-4)).toEqual([
      ...["stop postgres-1", "swap back", "up with postgres:17@sha256:0", `start ${SERVICES}`],
    ]);
    expect(host.data).toBe(17);
  });

  it("keeps the new cluster if the update fails at something else", async () => {
    faults.set("up", "loki is not healthy");
    await expect(host.upgrade()).rejects.toThrow(/^loki is not healthy$/);
    expect(done).not.toContain("swap back");
    expect(done.at(-1)).toBe(`start ${SERVICES}`);
    expect(host.data).toBe(18);
  });

  it("is finished by the next run if it ended after the clusters had changed places", async () => {
    [host.data, host.kept] = [18, [{ major: 17, bytes: 1, mayReturn: true }]];
    host.running = new Set();
    await host.upgrade();
    expect(done).toEqual(["stop postgres-1", "trial", "up", "settle on the new", `start ${SERVICES}`]);
  });

  it("does not go back either if an interrupted one had started the new version: services may have written", async () => {
    [host.data, host.kept, host.image] = [18, [{ major: 17, bytes: 1, mayReturn: true }], "new"];
    faults.set("up", "not healthy");
    await expect(host.upgrade()).rejects.toThrow(/^not healthy$/);
    expect(done).not.toContain("swap back");
  });

  it("never goes back by itself to a cluster that lacks what services have written since", async () => {
    [host.data, host.kept] = [18, [{ major: 17, bytes: 1, mayReturn: false }]];
    host.health = "unhealthy";
    faults.set("up", "not healthy");
    await expect(host.upgrade()).rejects.toThrow(/^not healthy$/);
    expect(done).not.toContain("swap back");
    expect(host.data).toBe(18);
  });

  it("has nothing to go back to once the former cluster is removed", async () => {
    host.data = 18;
    faults.set("trial", "no memory");
    await expect(host.upgrade()).rejects.toThrow(/^no memory$/);
    expect(done).toEqual(["stop postgres-1", "trial"]);
  });

  it("ends before the swap if a service was started meanwhile", async () => {
    const { run } = host.daemon;
    host.daemon.run = async (...words) => {
      host.running.add("portfolio-ledger-1");
      return run.apply(host.daemon, words);
    };
    await expect(host.upgrade()).rejects.toThrow("portfolio-ledger was started meanwhile");
    expect(done).not.toContain("swap");
  });

  it("says so if the way back does not end either", async () => {
    faults.set("fill", "no");
    faults.set(`start ${SERVICES}`, "Docker does not answer");
    await expect(host.upgrade()).rejects.toThrow(
      /NOT upgraded: no\nThe way back did not end either: Docker does not answer\nNothing is lost. .*\.\/autollm upgrade$/,
    );
  });
});
