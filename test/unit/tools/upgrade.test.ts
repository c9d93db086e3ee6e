import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Daemon } from "../../../tools/lib/daemon.ts";
import { ClusterFolders, UPGRADED } from "../../../tools/lib/upgrade/clusters.ts";
import { checkRoom } from "../../../tools/lib/upgrade/upgrade.ts";
import { majorOf } from "../../../tools/lib/upgrade/wanted.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { fakeDocker } from "../lib/fakeDocker.ts";

let home: string;
let volume: string;
let folders: ClusterFolders;

beforeEach(() => {
  // Runs what a helper would run, in a folder that stands for the volume.
  home = fakeDocker(
    'while [ "$1" != -euc ]; do shift; done\nscript=$(printf "%s" "$2" | sed "s#/volume#$DOCKER_HOME/volume#")\nshift 2\nexec sh -euc "$script" "$@"\n',
  );
  volume = join(home, "volume");
  mkdirSync(volume);
  const daemon = Daemon.at("staging", { host: undefined, dockerHost: "unix:///none" });
  folders = new ClusterFolders({ daemon, name: "postgres-data", user: "70:70", image: "sha256:1" });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

/** Makes a cluster's folder, with a mark of its own. */
function cluster(folder: string, major: number): void {
  mkdirSync(join(volume, folder));
  writeFileSync(join(volume, folder, "PG_VERSION"), `${major}\n`);
}
const present = () => readdirSync(volume).sort();
const majorIn = (folder: string) => Number(readFileSync(join(volume, folder, "PG_VERSION"), "utf8"));

/** The renames of `swap` and `swapBack`, cut short after so many of them: `mv` fails then, as it would in a process that is killed. */
async function cutShort(after: number, work: () => Promise<void>): Promise<void> {
  const mv = join(home, "mv");
  const real = execFileSync("sh", ["-c", "PATH=/usr/bin:/bin command -v mv"], { encoding: "utf8" }).trim();
  writeFileSync(
    mv,
    `#!/bin/sh\necho x >>${home}/moves\n[ "$(wc -l <${home}/moves)" -le ${after} ] || exit 1\nexec ${real} "$@"\n`,
    { mode: 0o755 },
  );
  await work().catch(() => undefined);
  rmSync(mv);
  rmSync(join(home, "moves"), { force: true });
}

/** What Postgres's own start does before it makes a cluster or starts on one. */
function startPicks(): number | "an empty cluster" {
  const start = readFileSync(join(root, "components/data/postgres-start.sh"), "utf8");
  const begin = start.slice(start.indexOf("if [ ! -e"), start.indexOf("if [ ! -s"));
  const env = { PATH: "/usr/bin:/bin", PGDATA: join(volume, "pgdata") };
  expect(spawnSync("sh", ["-euc", begin], { env }).status).toBe(0);
  return existsSync(env.PGDATA) ? majorIn("pgdata") : "an empty cluster";
}

describe("the clusters in Postgres's volume", () => {
  it("are none in a new volume", async () => {
    expect(await folders.look()).toMatchObject({ data: undefined, bytes: 0, kept: [] });
    expect((await folders.look()).freeBytes).toBeGreaterThan(0);
  });

  it("change places, and the former one is kept with the name of its image", async () => {
    cluster("pgdata", 17);
    cluster(UPGRADED, 18);
    await folders.swap(17, "postgres:17@sha256:0");
    expect(present()).toEqual(["pgdata", "pgdata.17", "pgdata.17.image"]);
    expect(await folders.look()).toMatchObject({ data: 18, kept: [{ major: 17, mayReturn: true }] });
    expect(await folders.imageOf(17)).toBe("postgres:17@sha256:0");
    await folders.swapBack(17);
    expect(present()).toEqual(["pgdata", "pgdata.failed"]);
    expect(majorIn("pgdata")).toBe(17);
    await folders.settle();
    expect(present()).toEqual(["pgdata"]);
  });

  it("are not to go back by themselves once services have written to the new one", async () => {
    cluster("pgdata", 17);
    cluster(UPGRADED, 18);
    await folders.swap(17, "postgres:17@sha256:0");
    await folders.settleOnNew(17);
    expect(await folders.look()).toMatchObject({ data: 18, kept: [{ major: 17, mayReturn: false }] });
  });

  it("are not swapped with one that is not there", async () => {
    cluster("pgdata", 17);
    await expect(folders.swap(17, "x")).rejects.toThrow();
    expect(majorIn("pgdata")).toBe(17);
  });

  it.each([0, 1, 2])("are found again by Postgres's start when a swap ends after %i renames", async (after) => {
    cluster("pgdata", 17);
    cluster(UPGRADED, 18);
    await cutShort(after, () => folders.swap(17, "x"));
    expect(startPicks()).toBe(after === 2 ? 18 : 17);
    await folders.settle();
    expect(present()).toEqual(after === 2 ? ["pgdata", "pgdata.17", "pgdata.17.image"] : ["pgdata"]);
  });

  it.each([0, 1, 2])("are found again by Postgres's start when a way back ends after %i renames", async (after) => {
    cluster("pgdata", 17);
    cluster(UPGRADED, 18);
    await folders.swap(17, "x");
    await cutShort(after, () => folders.swapBack(17));
    expect((await folders.look()).data).toBe(after === 2 ? 17 : 18);
    expect(startPicks()).toBe(after === 2 ? 17 : 18);
    await folders.settle();
    expect(present()).toEqual(after === 2 ? ["pgdata"] : ["pgdata", "pgdata.17", "pgdata.17.image"]);
  });

  it("leave what an interrupted restore has set aside to the restore", async () => {
    cluster("pgdata", 17);
    cluster("pgdata.replaced", 17);
    await folders.settle();
    expect(present()).toEqual(["pgdata", "pgdata.replaced"]);
  });

  it("are kept until they are removed", async () => {
    cluster("pgdata", 18);
    cluster("pgdata.17", 17);
    await folders.removeKept(17);
    expect(present()).toEqual(["pgdata"]);
  });
});

describe("an upgrade", () => {
  it("needs room for a second cluster", () => {
    const clusters = { data: 17, bytes: 2e9, freeBytes: 1e9, kept: [] };
    expect(() => checkRoom(clusters)).toThrow("needs 2.0 GB beside the present one, and 1.0 GB are free");
    expect(() => checkRoom({ ...clusters, freeBytes: 2e9 })).not.toThrow();
  });

  it.each([
    ["postgres (PostgreSQL) 17.11", 17],
    ["postgres (PostgreSQL) 18.6 (Debian 18.6-3)", 18],
    ["postgres (PostgreSQL) 19beta1", 19],
  ])("reads %s as %i", (said, major) => expect(majorOf(said)).toBe(major));

  it("refuses an image that does not say its version", () => {
    expect(() => majorOf("redis 8")).toThrow("does not say which Postgres it has");
  });

  it("makes a cluster as Postgres's own start makes it", () => {
    const options = (file: string) =>
      /initdb --pgdata=\S+ (.*?) >/.exec(readFileSync(join(root, file), "utf8"))?.[1] ?? file;
    expect(options("tools/lib/upgrade/new-cluster.sh")).toBe(options("components/data/postgres-start.sh"));
  });
});
