import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { postgresConf, WAL_SWITCH_SECONDS } from "../../../components/data/postgres.ts";
import { logFile, Recovery } from "../../../services/backup/src/scratchRecovery.ts";
import { keyMark } from "../../../services/backup/src/settings.ts";
import { walMetrics, walPage } from "../../../services/backup/src/walPage.ts";
import {
  baseName,
  baseOf,
  between,
  bytesOf,
  expired,
  isReached,
  planFor,
  ranges,
  SEGMENT_BYTES,
  type Stored,
  segmentAt,
} from "../../../services/backup/src/walPlan.ts";
import { Risk } from "../../../services/backup/src/walRisk.ts";
import { secondFolder } from "../../../services/backup/src/walStore.ts";
import { testMoment } from "../../../services/backup/src/walTest.ts";
import { momentOf, rangesText } from "../../../tools/lib/restore/pointInTime.ts";
import { runPlatform } from "../lib/platform.ts";

const platform = await runPlatform();
const noon = Date.parse("2026-11-28T12:00:00Z");
const minute = (count: number) => noon + count * 60_000;
const segment = (number: number, timeline = 1) => segmentAt(timeline, number * SEGMENT_BYTES);
const base = (at: number, start: number, end = start, timeline = 1) => ({
  name: baseName(new Date(at), segment(start, timeline), segment(end, timeline)),
  bytes: 1000,
});
const segments = (from: number, to: number, timeline = 1) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    name: segment(from + index, timeline),
    at: minute(from + index),
  }));
const stored = (bases: Stored["bases"], all: Stored["segments"], cluster = "7-a"): Stored => ({
  cluster,
  bases,
  segments: all,
});

describe("a place in Postgres's log", () => {
  it("is in a segment that is named as Postgres names it", () => {
    expect(bytesOf("16/B374D848")).toBe(0x16_b374_d848);
    expect(segmentAt(1, bytesOf("16/B374D848"))).toBe("0000000100000016000000B3");
    expect(between("0000000100000016000000FE", "000000010000001700000001")).toEqual([
      "0000000100000016000000FE",
      "0000000100000016000000FF",
      "000000010000001700000000",
      "000000010000001700000001",
    ]);
    expect(() => bytesOf("nothing")).toThrow(/no place/);
  });

  it("names a base backup, which is read back", () => {
    const name = baseName(new Date(noon), segment(2), segment(3));
    expect(baseOf(name)).toEqual({ finished: noon + 999, start: segment(2), end: segment(3) });
    expect(baseOf("unfinished")).toBeUndefined();
  });
});

describe("a restore to a moment", () => {
  const one = stored([base(minute(2), 2), base(minute(5), 5)], segments(2, 9));

  it("begins from the newest base before it, and reads one segment more than it needs", () => {
    expect(planFor(minute(4), [one])).toMatchObject({ base: one.bases[0]?.name, first: segment(2), last: segment(6) });
    expect(planFor(minute(7), [one])).toEqual({
      cluster: "7-a",
      base: one.bases[1]?.name,
      first: segment(5),
      last: segment(9),
      target: "2026-11-28T12:07:00.000Z",
    });
    expect(planFor("latest", [one])).toMatchObject({ first: segment(5), last: segment(9) });
  });

  it("is impossible before the first base, after the last segment, and within a gap", () => {
    expect(planFor(minute(1), [one])).toBeUndefined();
    expect(planFor(minute(10), [one])).toBeUndefined();
    const gap = stored([base(minute(2), 2), base(minute(8), 8)], [...segments(2, 4), ...segments(8, 9)]);
    expect(planFor(minute(4), [gap])).toBeDefined();
    expect(planFor(minute(6), [gap])).toBeUndefined();
    expect(ranges([gap])).toEqual([
      { from: minute(2) + 999, to: minute(4) },
      { from: minute(8) + 999, to: minute(9) },
    ]);
  });

  it("reaches as far as nothing was written since", () => {
    const open = { cluster: "7-a", lastSegment: segment(9), until: minute(30) };
    expect(planFor(minute(25), [one], open)).toMatchObject({ last: segment(9) });
    expect(planFor(minute(25), [one], { ...open, lastSegment: segment(8) })).toBeUndefined();
    expect(planFor(minute(25), [one], { ...open, cluster: "7-b" })).toBeUndefined();
  });

  it("is on a new host the last one of the lost host's cluster, whatever the new one has stored", () => {
    const mine = stored([base(minute(40), 2)], segments(2, 3), "9-a");
    const open = { cluster: "9-a", lastSegment: segment(3), until: minute(60) };
    expect(planFor("previous", [one, mine], open)).toEqual({
      ...{ cluster: "7-a", base: one.bases[1]?.name, first: segment(5), last: segment(9) },
    });
    expect(planFor("latest", [one, mine], open)).toMatchObject({ cluster: "9-a" });
    // Another key of the same cluster is no other host.
    expect(planFor("previous", [stored(one.bases, one.segments, "9-b"), mine], open)).toBeUndefined();
    expect(planFor("previous", [one], undefined)).toBeUndefined();
  });

  it("takes no base whose own end is not stored yet", () => {
    expect(planFor("latest", [stored([base(minute(2), 2, 5)], segments(2, 4))])).toBeUndefined();
  });

  it("stays on the timeline of its base: after an earlier restore the log has two ends", () => {
    const forked = stored(
      [base(minute(2), 2), base(minute(20), 6, 6, 2)],
      [...segments(2, 9), ...segments(5, 7, 2).map((each) => ({ ...each, at: each.at + 15 * 60_000 }))],
    );
    expect(planFor(minute(8), [forked])).toMatchObject({ first: segment(2), last: segment(9) });
    expect(planFor(minute(21), [forked])).toMatchObject({ first: segment(6, 2), last: segment(7, 2) });
    expect(planFor(minute(12), [forked])).toBeUndefined();
  });

  it("is named with its zone, or refused", () => {
    expect(momentOf("2026-11-28T15:03:00+01:00")).toBe("2026-11-28T14:03:00.000Z");
    expect(momentOf("latest")).toBe("latest");
    for (const wrong of ["2026-11-28T14:03:00", "yesterday", "2026-11-28", "2026-13-28T14:03:00Z"])
      expect(() => momentOf(wrong)).toThrow(/write a time with its zone/);
    expect(rangesText([{ from: noon + 1, to: minute(5) + 999 }])).toBe("2026-11-28T12:00:01Z to 2026-11-28T12:05:00Z");
    expect(rangesText([])).toMatch(/nothing yet/);
  });
});

describe("what is older than is kept", () => {
  const all = stored([base(minute(2), 2), base(minute(5), 5), base(minute(8), 8)], segments(1, 9));

  it("goes, except what the first moment that is kept needs", () => {
    expect(expired(all, minute(7))).toEqual({
      bases: [all.bases[0]?.name],
      segments: [segment(1), segment(2), segment(3), segment(4)],
    });
  });

  it("stays while there is no newer base", () => {
    expect(expired(stored([base(minute(2), 2)], segments(2, 9)), minute(9)).bases).toEqual([]);
    expect(expired(all, minute(1)).bases).toEqual([]);
  });
});

describe("the commits at risk", () => {
  it("count since the log was last seen to end earlier", () => {
    const risk = new Risk();
    const closed = 3 * SEGMENT_BYTES;
    risk.note(1000, closed, closed);
    expect([risk.seconds(5000, 30), risk.bytes, risk.until]).toEqual([0, 0, 1000]);
    risk.note(6000, closed + 2 * SEGMENT_BYTES, closed);
    risk.note(101_000, closed + 2 * SEGMENT_BYTES, closed);
    expect(risk.seconds(101_000, 30)).toBe(100);
    expect(risk.bytes).toBe(2 * SEGMENT_BYTES);
    risk.note(106_000, closed + 2 * SEGMENT_BYTES, closed + 2 * SEGMENT_BYTES);
    expect([risk.seconds(106_000, 30), risk.until]).toEqual([0, 106_000]);
  });

  it("are no older in the open segment than Postgres lets them become", () => {
    const risk = new Risk();
    risk.note(0, 100, 100);
    risk.note(5000, 196, 100);
    expect([risk.seconds(20_000, 30), risk.seconds(900_000, 30), risk.seconds(900_000, 0)]).toEqual([20, 30, 900]);
  });
});

describe("the archive's page", () => {
  it("has every metric, and leaves out what is not known", () => {
    const status = {
      ...{ receiving: true, unstoredSeconds: 1, waitingBytes: 2, unsentSeconds: 3, unsentBytes: 4 },
      ...{ base: { finished: noon, bytes: 5 }, repositoryBytes: 6, oldest: noon, lost: 0, failures: { store: 1 } },
      test: { lastGood: noon, ok: true, failures: 0 },
    };
    const names = (page: string) => [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names(walPage(status))).toEqual(walMetrics);
    const { unsentSeconds: _, unsentBytes: __, ...alone } = status;
    expect(names(walPage({ ...alone, base: undefined }))).not.toContain("wal_archive_unsent_seconds");
    expect(walPage(status)).toContain('wal_archive_failures_total{step="store"} 1\n');
  });
});

describe("the archive", () => {
  it("tells keys apart without telling them, and has a folder beside restic's", () => {
    expect(keyMark("one")).toMatch(/^[0-9a-f]{8}$/);
    expect(keyMark("one")).not.toBe(keyMark("two"));
    expect(secondFolder("s3:https://s3.example.com/bucket/a/b")).toBe("bucket/a/b/wal");
  });

  it("reaches Postgres and nothing else, with its own role's password", () => {
    const { labels, memory, networksAdvanced } = platform.container("wal-archive");
    expect(memory).toBe(192);
    expect(labels).toContainEqual(
      expect.objectContaining({ label: "autollm.credentials", value: "backup-key,postgres-wal-archive" }),
    );
    expect(labels).toContainEqual(expect.objectContaining({ label: "autollm.segments", value: "postgres,scrape" }));
    expect(networksAdvanced).toHaveLength(2);
  });

  it("is given its segments in time, and cannot fill Postgres's disk", () => {
    expect(WAL_SWITCH_SECONDS).toBeLessThanOrEqual(30);
    expect(postgresConf).toContain(`archive_timeout = ${WAL_SWITCH_SECONDS}s\n`);
    expect(postgresConf).toContain("max_slot_wal_keep_size = 2GB\n");
    const start = readFileSync(new URL("../../../components/data/postgres-start.sh", import.meta.url), "utf8");
    expect(start).toContain("kill -HUP $$");
  });
});

describe("the test of a restore to a moment", () => {
  it("is of a moment before the newest commit, if there is one", () => {
    expect(testMoment({ from: 0, to: 600_000 })).toBe(540_000);
    expect(testMoment({ from: 570_000, to: 600_000 })).toBe(570_000);
  });

  it("takes no file but a base backup and log, wherever a name would lead", async () => {
    const folder = mkdtempSync(join(tmpdir(), "autollm-test-"));
    const recovery = new Recovery(folder, folder, { database: "autollm" });
    const content = async function* () {
      yield Buffer.from("x");
    };
    const segment = "000000010000000000000003.gz";
    await recovery.take(logFile(segment), content());
    expect(readFileSync(join(folder, "wal.restored", segment), "utf8")).toBe("x");
    for (const path of ["wal/../../x.gz", "wal/x.gz", "pgdata.restored/PG_VERSION", `wal/${segment}/x`])
      await expect(recovery.take(path, content())).rejects.toThrow("is in no plan");
    rmSync(folder, { recursive: true });
  });

  it("is whole if it reached the moment, or the end of all that is stored", () => {
    const last = "000000010000000000000003";
    expect(isReached({ last }, "moment", "")).toBe(true);
    expect(isReached({ last }, "end", "0/3FFFF28")).toBe(true);
    expect(isReached({ last }, "end", "0/2FFFF28")).toBe(false);
  });
});
