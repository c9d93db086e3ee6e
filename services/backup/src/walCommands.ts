import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { ArchiveWriter } from "./archive.ts";
import { BackupError } from "./restic.ts";
import { between, type Plan, planFor, type Range, ranges } from "./walPlan.ts";
import { readOpen, readWalSettings } from "./walSettings.ts";
import { fetchAll, files, histories, openBase, openWal, pour, segmentFile, stored } from "./walStore.ts";

/** What can be restored, and what of it was asked for. */
export interface Answer {
  readonly ranges: readonly Range[];
  /** Absent where nothing reaches the moment. */
  readonly plan?: Plan;
  /** Encrypted and compressed bytes that the restore reads. */
  readonly bytes: number;
}

/** @param at a moment in ISO's form, `latest` or `previous` */
export function answerPlan(at: string): Answer {
  const all = stored();
  const open = readOpen();
  const plan = planFor(at === "latest" || at === "previous" ? at : Date.parse(at), all, open);
  const sizes = files();
  const bytes =
    plan === undefined
      ? 0
      : [`base/${plan.base}`, ...between(plan.first, plan.last).map((name) => `wal/${segmentFile(name)}`)].reduce(
          (sum, path) => sum + (sizes.get(`${plan.cluster}/${path}`) ?? 0),
          0,
        );
  return { ranges: ranges(all, open), bytes, ...(plan === undefined ? {} : { plan }) };
}

/** Decrypted files that are in memory at once: bytes, unless a single one has more. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Writes a base backup. */
export const writeBase = (cluster: string, base: string, out: NodeJS.WritableStream) =>
  pour(openBase(cluster, base), out);

/**
 * Puts the segments from one to another, and the timelines' histories, into an archive.
 * @param named the path of a file there, by its name
 */
export async function logInto(
  archive: ArchiveWriter,
  { cluster, first, last }: Pick<Plan, "cluster" | "first" | "last">,
  named: (name: string) => string,
): Promise<void> {
  const sizes = files();
  const names = [...histories(cluster), ...between(first, last).map(segmentFile)];
  const folder = await mkdtemp(join(tmpdir(), "wal-"));
  const hand = async (batch: readonly string[]) => {
    await openWal(cluster, batch, folder);
    for (const name of batch) {
      const file = join(folder, name);
      const head = { path: named(name), mode: 0o600, mtime: 0 };
      await archive.file(head, (await stat(file)).size, createReadStream(file));
      await rm(file);
    }
  };
  try {
    let batch: string[] = [];
    let bytes = 0;
    for (const name of names) {
      const size = sizes.get(`${cluster}/wal/${name}`) ?? 0;
      if (batch.length > 0 && bytes + size > BATCH_BYTES) {
        await hand(batch);
        [batch, bytes] = [[], 0];
      }
      batch.push(name);
      bytes += size;
    }
    if (batch.length > 0) await hand(batch);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes the segments from one to another, and the timelines' histories, as an archive. */
export async function writeWal(cluster: string, first: string, last: string, out: Writable): Promise<void> {
  const archive = new ArchiveWriter(out);
  await logInto(archive, { cluster, first, last }, (name) => name);
  await archive.end();
}

/** Takes over from the second place what this one lacks. @returns what can be restored */
export async function fetchWal(): Promise<Answer> {
  const { s3 } = readWalSettings();
  if (s3 === undefined) throw new BackupError("the stack's config names no backup.s3");
  await fetchAll(s3);
  return answerPlan("latest");
}
