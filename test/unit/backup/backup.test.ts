import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { imageReference } from "../../../components/images.ts";
import { addressOf } from "../../../components/parts.ts";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { workloadUser } from "../../../components/uids.ts";
import { ArchiveWriter } from "../../../services/backup/src/archive.ts";
import { FORMAT, type Manifest, manifestFaults, missing } from "../../../services/backup/src/manifest.ts";
import { readArchive } from "../../../services/backup/src/readArchive.ts";
import { backupDue, copyDue, lastMoment, restoreTestDue } from "../../../services/backup/src/schedule.ts";
import { PORT } from "../../../services/backup/src/settings.ts";
import { backupMetrics, metricsPage } from "../../../services/backup/src/status.ts";
import { RowSum, type TableSum, tableDifferences } from "../../../services/backup/src/tables.ts";
import { addTree } from "../../../services/backup/src/tree.ts";
import { catalogue } from "../../../tools/bootstrap/images/catalogue.ts";
import { humanBytes } from "../../../tools/lib/units.ts";
import { localConfig, runPlatform } from "../lib/platform.ts";
import { randomText } from "../lib/values.ts";

const HOUR = 60 * 60 * 1000;
const at = (text: string) => Date.parse(text);

describe("the nightly schedule", () => {
  it.each<[string, string, number | undefined, number | undefined, boolean]>([
    ["a new stack at once", "2026-03-01T14:00:00Z", undefined, undefined, true],
    [
      "not again before its time",
      "2026-03-02T01:59:00Z",
      at("2026-03-01T14:00:00Z"),
      at("2026-03-01T14:00:00Z"),
      false,
    ],
    ["at its time", "2026-03-02T02:00:00Z", at("2026-03-01T14:00:00Z"), at("2026-03-01T14:00:00Z"), true],
    [
      "after a time that was missed",
      "2026-03-03T09:00:00Z",
      at("2026-03-01T02:00:05Z"),
      at("2026-03-01T02:00:05Z"),
      true,
    ],
    [
      "not at once after a failure",
      "2026-03-02T02:30:00Z",
      at("2026-03-01T02:00:05Z"),
      at("2026-03-02T02:00:00Z"),
      false,
    ],
    ["an hour after a failure", "2026-03-02T03:00:00Z", at("2026-03-01T02:00:05Z"), at("2026-03-02T02:00:00Z"), true],
    ["on leap day", "2028-02-29T02:00:01Z", at("2028-02-28T02:00:09Z"), at("2028-02-28T02:00:00Z"), true],
  ])("is due: %s", (_, now, lastSuccess, lastRun, due) => {
    const last = {
      ...(lastSuccess === undefined ? {} : { lastSuccess }),
      ...(lastRun === undefined ? {} : { lastRun }),
    };
    expect(backupDue({ time: "02:00", everyHours: 24 }, new Date(now), last)).toBe(due);
  });

  it("knows the last moment of a time over a new year", () => {
    expect(lastMoment("23:30", 24, new Date("2027-01-01T01:00:00Z")).toISOString()).toBe("2026-12-31T23:30:00.000Z");
  });

  it.each([
    [1, "2026-03-02T01:29:59Z", "2026-03-02T00:30:00.000Z"],
    [1, "2026-03-02T01:30:00Z", "2026-03-02T01:30:00.000Z"],
    [6, "2026-03-02T02:00:00Z", "2026-03-01T20:30:00.000Z"],
    [6, "2026-03-02T14:29:00Z", "2026-03-02T08:30:00.000Z"],
    [12, "2026-03-02T23:00:00Z", "2026-03-02T14:30:00.000Z"],
  ])("knows the last moment of each %i hours from 02:30 on, at %s", (everyHours, now, moment) => {
    expect(lastMoment("02:30", everyHours, new Date(now)).toISOString()).toBe(moment);
  });

  it("is due each hour, if it is to be made each hour", () => {
    const lastSuccess = Date.parse("2026-03-02T01:00:09Z");
    const due = (now: string) =>
      backupDue({ time: "02:00", everyHours: 1 }, new Date(now), { lastSuccess, lastRun: lastSuccess });
    expect(due("2026-03-02T01:59:59Z")).toBe(false);
    expect(due("2026-03-02T02:00:00Z")).toBe(true);
  });

  it("tries a copy that failed again after an hour, and one that did not fail not at all", () => {
    const now = new Date("2026-03-08T02:00:00Z");
    expect(copyDue(now, now.getTime() - HOUR, { secondOk: false })).toBe(true);
    expect(copyDue(now, now.getTime() - HOUR / 2, { secondOk: false })).toBe(false);
    expect(copyDue(now, now.getTime() - 20 * HOUR, { secondOk: true })).toBe(false);
    expect(copyDue(now, 0, {})).toBe(false);
  });

  it("tests a restore each week, and a new stack at once", () => {
    const now = new Date("2026-03-08T02:00:10Z");
    expect(restoreTestDue(now, undefined)).toBe(true);
    expect(restoreTestDue(now, now.getTime() - 6 * 24 * HOUR)).toBe(false);
    expect(restoreTestDue(now, now.getTime() - 7 * 24 * HOUR)).toBe(true);
  });
});

describe("a saved volume", () => {
  async function saved(from: string) {
    const out = new PassThrough();
    const archive = new ArchiveWriter(out);
    const entries = (async () => {
      const found = new Map<string, { type: string; mode: number; mtime: number; target?: string; text: string }>();
      for await (const { path, type, mode, mtime, target, content } of readArchive(out)) {
        let text = "";
        for await (const chunk of content) text += Buffer.from(chunk).toString();
        found.set(path, { type, mode, mtime, text, ...(target === undefined ? {} : { target }) });
      }
      return found;
    })();
    const changed = await addTree(archive, from, "volumes/data");
    await archive.end();
    return { changed, entries: await entries, sums: archive.sums };
  }

  it("has every file, folder and link as it was", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autollm-copy-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "deep", "empty"), { recursive: true });
    const text = randomText(5000);
    writeFileSync(join(folder, "deep", "a.parquet"), text, { mode: 0o640 });
    utimesSync(join(folder, "deep", "a.parquet"), 1000, 2000);
    chmodSync(join(folder, "deep"), 0o550);
    symlinkSync("deep/a.parquet", join(folder, "latest"));
    // A name as the archive's own parts have them.
    mkdirSync(join(folder, "b.parts"));
    writeFileSync(join(folder, "b.parts", "000001"), "a service's own");
    const { changed, entries } = await saved(folder);
    expect(changed).toEqual([]);
    expect(entries.get("volumes/data/deep/a.parquet")).toEqual({ type: "file", mode: 0o640, mtime: 2000, text });
    expect(entries.get("volumes/data/deep")).toMatchObject({ type: "directory", mode: 0o550 });
    expect(entries.get("volumes/data/deep/empty")).toMatchObject({ type: "directory" });
    expect(entries.get("volumes/data/latest")).toMatchObject({ type: "link", target: "deep/a.parquet" });
    expect(entries.get("volumes/data/b.parts/000001")).toMatchObject({ text: "a service's own" });
  });

  it("tells a file that its owner writes all the time", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autollm-copy-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "features.duckdb");
    writeFileSync(file, Buffer.alloc(8 * 1024 * 1024));
    let writing = true;
    const writer = (async () => {
      while (writing) await appendFile(file, "x");
    })();
    const { changed, entries, sums } = await saved(folder);
    writing = false;
    await writer;
    expect(changed).toEqual(["features.duckdb"]);
    expect(sums[0]?.bytes).toBe(entries.get("volumes/data/features.duckdb")?.text.length);
  });
});

const sum = (name: string, rows = 1, checksum = "7"): TableSum => ({ schema: "ledger", name, rows, checksum });
const saved = (path: string) => ({ path, bytes: 1, sha256: path });
const files = [
  "grafana.db",
  "jetstream/ORDERS.json",
  "jetstream/ORDERS.snapshot",
  "postgres/ledger.dump",
  "redis.rdb",
].map(saved);
const manifest: Manifest = {
  format: FORMAT,
  stack: "local",
  environment: "local",
  startedAt: "",
  finishedAt: "",
  versions: {},
  postgres: {
    ...{ database: "autollm", major: 17, faults: [], lost: [] },
    schemas: [{ schema: "ledger", owner: "ledger", tables: [] }],
  },
  redis: { keys: 0 },
  jetstream: [{ name: "ORDERS", messages: 1, firstSequence: 1, lastSequence: 1, consumers: 0 }],
  volumes: [{ name: "reports", changed: [] }],
  stateExportedAt: null,
  files,
};

describe("a snapshot that was read back", () => {
  const without = (path: string) => files.filter((file) => file.path !== path);
  it("is whole when it is what its manifest says", () => {
    expect(manifestFaults(manifest, files, ["reports"])).toEqual([]);
  });
  it.each<[string, Manifest, readonly ReturnType<typeof saved>[], readonly string[]]>([
    ["redis.rdb is missing", manifest, without("redis.rdb"), []],
    [
      "redis.rdb is not what was saved",
      manifest,
      [...without("redis.rdb"), { ...saved("redis.rdb"), sha256: "x" }],
      [],
    ],
    [
      "postgres/ledger.dump is not what was saved",
      manifest,
      [...without("postgres/ledger.dump"), { ...saved("postgres/ledger.dump"), bytes: 2 }],
      [],
    ],
    ["it lacks grafana.db", { ...manifest, files: without("grafana.db") }, without("grafana.db"), []],
    [
      "it lacks jetstream/ORDERS.snapshot",
      { ...manifest, files: without("jetstream/ORDERS.snapshot") },
      without("jetstream/ORDERS.snapshot"),
      [],
    ],
    ["it lacks the volume market-data", manifest, files, ["market-data"]],
    ["x is in no manifest", manifest, [...files, saved("x")], []],
    ["its form is 3; this version knows 1 and 2", { ...manifest, format: 3 }, files, []],
    ["it lacks postgres.dump", { ...manifest, format: 1 }, files, []],
  ])("is refused: %s", (fault, given, found, volumes) => {
    expect(manifestFaults(given, found, volumes)).toEqual([fault]);
  });
});

describe("a snapshot without a schema", () => {
  const fault = { schema: "gateway", owner: "gateway", reason: "gateway.keys is locked by role gateway" };
  const partial = {
    ...manifest,
    postgres: { ...manifest.postgres, faults: [fault], lost: ["large objects of reporter"] },
    broken: ["postgres/gateway.dump"],
  };
  it("says what is missing and why", () => {
    expect(missing(partial.postgres)).toEqual([
      "schema gateway: gateway.keys is locked by role gateway",
      "large objects of reporter: no dump of a schema holds them",
    ]);
  });
  it("is whole otherwise, also where a piece of the dump is there", () => {
    expect(manifestFaults(partial, [...files, saved("postgres/gateway.dump")], ["reports"])).toEqual([]);
  });
});

describe("the rows of a table", () => {
  const summed = (...chunks: readonly string[]) => {
    const sum = new RowSum();
    for (const chunk of chunks) sum.add(Buffer.from(chunk));
    return sum.of("ledger", "fills");
  };
  it("have the same sum in any order, and however they come", () => {
    const expected = summed("1\ta\n2\tb\n3\t\n");
    expect(expected.rows).toBe(3);
    expect(summed("3\t\n1\t", "a\n2", "\tb", "\n")).toEqual(expected);
  });
  it("have another sum when a row is another, or is there twice", () => {
    const { checksum } = summed("1\ta\n2\tb\n");
    expect(summed("1\ta\n2\tc\n").checksum).not.toBe(checksum);
    expect(summed("1\ta\n1\ta\n2\tb\n").checksum).not.toBe(checksum);
  });
  it("that are cut short are a fault", () => {
    expect(() => summed("1\ta\n2")).toThrow("the rows of ledger.fills end within a row");
  });
});

describe("a restored database", () => {
  it.each<[string, readonly TableSum[], readonly TableSum[]]>([
    ["ledger.fills is missing", [sum("fills")], []],
    ["ledger.fills has 2 rows, not 1", [sum("fills")], [sum("fills", 2)]],
    ["ledger.fills has other rows than were saved", [sum("fills")], [sum("fills", 1, "8")]],
    ["ledger.more was not saved", [], [sum("more")]],
  ])("differs: %s", (difference, before, after) => expect(tableDifferences(before, after)).toEqual([difference]));
  it("is the same when rows and checksums are", () => {
    expect(tableDifferences([sum("a"), sum("b")], [sum("b"), sum("a")])).toEqual([]);
  });
});

describe("the backup's metrics", () => {
  it("tell nothing that is not known yet", () => {
    expect(metricsPage({})).not.toContain("backup_last_success_timestamp_seconds");
    expect(metricsPage({})).toContain("backup_failures_total 0");
  });
  it("tell times in seconds, and every figure once it is there", () => {
    const page = metricsPage({
      ...{ lastRun: 2000, lastSuccess: 5000, lastOk: true, seconds: 1.5, bytes: 7, repositoryBytes: 8, snapshots: 3 },
      ...{ failures: 1, lastGoodTest: 9000, lastTestOk: false, testFailures: 2, missing: 0 },
      ...{ secondSuccess: 7000, secondOk: true, secondAppendOnly: true, secondDue: 4, kitMade: 6000, kitCurrent: true },
    });
    for (const name of backupMetrics) expect(page).toMatch(new RegExp(`^${name} \\d`, "m"));
    expect(page).toContain("backup_last_success_timestamp_seconds 5\n");
    expect(page).toContain("backup_last_restore_test_success 0\n");
  });
});

describe("the backup's container", () => {
  it("reads every volume of the services and Grafana's, and writes to its own alone", async () => {
    const platform = await runPlatform();
    const mounts = (platform.container("backup").mounts ?? []).filter(({ type }) => type === "volume");
    const wanted = serviceNames.flatMap((service) => services[service].volumes.map(({ name }) => `/saved/${name}`));
    const readOnly = mounts.filter((mount) => mount.readOnly === true).map(({ target }) => target);
    const watched = ["redis-data", "prometheus-data", "alertmanager-data", "jaeger-data", "loki-data"];
    const queues = ["otel-collector-queue", "log-collector-queue"];
    expect(readOnly.sort()).toEqual(
      [
        ...wanted,
        "/saved/grafana",
        "/restore-test",
        ...[...watched, ...queues].map((each) => `/watched/${each}`),
      ].sort(),
    );
    expect(mounts.filter((mount) => mount.readOnly !== true).map(({ target }) => target)).toEqual(["/backup"]);
    expect(JSON.parse(platform.files("backup")["etc-autollm/backup.json"] ?? "")).toMatchObject({
      time: "02:00",
      volumes: Object.fromEntries(wanted.map((path) => [path.slice("/saved/".length), path])),
    });
    expect(addressOf("backup")).toBe(`backup:${PORT}`);
  });

  it("hands its dumps to a container without secrets, network or a disk", async () => {
    const platform = await runPlatform();
    const test = platform.container("restore-test");
    expect(test.networkMode).toBe("none");
    expect(test.networksAdvanced ?? []).toEqual([]);
    expect((test.mounts ?? []).map(({ target, type }) => [target, type])).toEqual([
      ["/etc/autollm", "bind"],
      ["/restore-test", "volume"],
    ]);
    expect(test.user).not.toBe(platform.container("backup").user);
    expect(Object.keys(test.tmpfs ?? {}).sort()).toEqual(["/scratch", "/tmp"]);
    const shared = (platform.container("backup").mounts ?? []).find(({ target }) => target === "/restore-test");
    expect(shared?.readOnly).toBe(true);
  });

  it("has a name of its own in its locks: its volume's", async () => {
    const platform = await runPlatform();
    const { hostname, mounts } = platform.container("backup");
    expect(hostname).toBe((mounts ?? []).find(({ target }) => target === "/backup")?.source);
  });

  it("has a way to the internet and S3's credentials only with a second repository", async () => {
    const keys = { "s3-access-key": randomText(20), "s3-secret-key": randomText(40) };
    const s3 = JSON.stringify({ s3: "s3:https://s3.example.com/bucket" });
    const segments = (platform: Awaited<ReturnType<typeof runPlatform>>) =>
      (platform.container("backup").networksAdvanced ?? []).map(({ name }) => name);
    const without = await runPlatform({ config: { ...localConfig, ...keys }, secretKeys: Object.keys(keys) });
    expect(segments(without).join()).not.toContain("egress");
    expect(Object.keys(without.files("backup")).join()).not.toContain("s3-");
    const given = { config: { ...localConfig, ...keys, backup: s3 }, secretKeys: Object.keys(keys) };
    const second = await runPlatform(given);
    expect(segments(second).join()).toContain("egress");
    expect(second.files("backup")["run-secrets/s3-secret-key"]).toBe(keys["s3-secret-key"]);
    await expect(runPlatform({ config: { ...localConfig, backup: s3 } })).rejects.toThrow(
      /backup needs s3-access-key; set it with: \.\/autollm pulumi config set --secret s3-access-key/,
    );
  });

  it("wants its image by digest outside local", async () => {
    await expect(
      runPlatform({
        config: { ...localConfig, imageSource: "registry", localImages: "{}", backup: '{"image":"backup:1"}' },
      }),
    ).rejects.toThrow(/backup.image: must be pinned by digest/);
  });
});

describe("the backup's images", () => {
  const text = readFileSync(new URL("../../../services/backup/Dockerfile", import.meta.url), "utf8");
  it("for registries stands on the images that the platform pins", () => {
    const from = [...text.matchAll(/^FROM (\S+)/gm)].map(([, reference]) => reference);
    expect(from).toEqual((["restic", "rclone", "redis", "postgres"] as const).map(imageReference));
  });
  it("both run as the workload's user, and start the same program", () => {
    expect(text).toContain(`\nUSER ${workloadUser("backup")}\n`);
    expect(catalogue.backup.user).toBe(workloadUser("backup"));
    expect(catalogue.backup.command.slice(1)).toEqual(["/app/backup.mjs", "serve"]);
  });
});

describe("a size for a reader", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [12_345, "12.3 kB"],
    [3_200_000_000, "3.2 GB"],
  ])("%d bytes are %s", (bytes, text) => expect(humanBytes(bytes)).toBe(text));
});
