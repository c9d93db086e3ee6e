/** A segment of Postgres's write-ahead log: timeline, and number within it, as its file's name says them. */
export interface Segment {
  readonly name: string;
  /** When its last byte was written: milliseconds since 1970. */
  readonly at: number;
}

/** A base backup: the files of the whole cluster, from which recovery begins. */
export interface Base {
  /** Its file's name: when it was finished, and the first and the last segment without which it is of no use. */
  readonly name: string;
  readonly bytes: number;
}

/** What is stored of one cluster under one key. */
export interface Stored {
  /** The folder: Postgres's own identifier of the cluster, and a mark of the key. */
  readonly cluster: string;
  readonly bases: readonly Base[];
  readonly segments: readonly Segment[];
}

/** What a restore reads. */
export interface Plan {
  readonly cluster: string;
  readonly base: string;
  /** The first and the last segment; none between them is missing. */
  readonly first: string;
  readonly last: string;
  /** The moment; absent for the last one that there is. */
  readonly target?: string;
}

/** Moments that can be restored: milliseconds since 1970, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** 16 MiB, as initdb makes them. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;
const PER_LOG = 0x1_0000_0000 / SEGMENT_BYTES;
export const SEGMENT = /^[0-9A-F]{24}$/;
const BASE = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)-([0-9A-F]{24})-([0-9A-F]{24})\.tar\.gz$/;
/** A commit's time is taken before it is written: what follows the moment is read as well, and Postgres stops at the right place. */
const SEGMENTS_AFTER = 1;

export const timelineOf = (segment: string): number => Number.parseInt(segment.slice(0, 8), 16);

/** A segment's place in its cluster's log, whatever its timeline. */
export function numberOf(segment: string): number {
  return Number.parseInt(segment.slice(8, 16), 16) * PER_LOG + Number.parseInt(segment.slice(16), 16);
}

/** A place in the log, `16/B374D848` as Postgres writes it, in bytes. */
export function bytesOf(lsn: string): number {
  const [high = "", low = ""] = lsn.split("/");
  const bytes = Number.parseInt(high, 16) * 0x1_0000_0000 + Number.parseInt(low, 16);
  if (!Number.isSafeInteger(bytes)) throw new Error(`${lsn} is no place in Postgres's log`);
  return bytes;
}

/** The segment that holds a place in the log. */
export function segmentAt(timeline: number, bytes: number): string {
  const number = Math.floor(bytes / SEGMENT_BYTES);
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return `${hex(timeline)}${hex(Math.floor(number / PER_LOG))}${hex(number % PER_LOG)}`;
}

/** The name of a base backup. */
export function baseName(finished: Date, start: string, end: string): string {
  return `${finished.toISOString().slice(0, 19).replaceAll(":", "-")}Z-${start}-${end}.tar.gz`;
}

/** When a base backup was finished, in milliseconds since 1970, and the segments that it needs at least; undefined for another file. */
export function baseOf(
  name: string,
): { readonly finished: number; readonly start: string; readonly end: string } | undefined {
  const [, time = "", start = "", end = ""] = BASE.exec(name) ?? [];
  if (time === "") return undefined;
  const [day, clock = ""] = time.split("T");
  // It was finished within the second that its name says: at the end of it, it was there.
  return { finished: Date.parse(`${day}T${clock.replaceAll("-", ":")}`) + 999, start, end };
}

/** Base backups with what their names say, oldest first. */
const byAge = (bases: readonly Base[]) =>
  bases
    .flatMap((base) => {
      const read = baseOf(base.name);
      return read === undefined ? [] : [{ ...base, ...read }];
    })
    .sort((a, b) => a.finished - b.finished);

/** The newest of some base backups. */
export const newestBase = (bases: readonly Base[]) => byAge(bases).at(-1);

/** The segments of a base's own timeline that follow it without a gap, first to last. */
function following(start: string, segments: readonly Segment[]): Segment[] {
  const own = segments
    .filter(({ name }) => timelineOf(name) === timelineOf(start) && numberOf(name) >= numberOf(start))
    .sort((a, b) => numberOf(a.name) - numberOf(b.name));
  const gap = own.findIndex(({ name }, index) => numberOf(name) !== numberOf(start) + index);
  return gap === -1 ? own : own.slice(0, gap);
}

interface Candidate extends Range {
  readonly cluster: string;
  readonly base: Base;
  readonly segments: readonly Segment[];
}

/** Every base with what can be reached from it, oldest first. */
function candidates(stored: readonly Stored[], open: Open | undefined): Candidate[] {
  return stored
    .flatMap(({ cluster, bases, segments }) =>
      byAge(bases).flatMap((base) => {
        const own = following(base.start, segments);
        const last = own.at(-1);
        if (last === undefined || numberOf(last.name) < numberOf(base.end)) return [];
        const until = open?.cluster === cluster && open.lastSegment === last.name ? open.until : 0;
        return [{ cluster, base, segments: own, from: base.finished, to: Math.max(last.at, until, base.finished) }];
      }),
    )
    .sort((a, b) => a.from - b.from);
}

/** How far the present cluster is stored: until when, if nothing but this segment's end was written since. */
export interface Open {
  readonly cluster: string;
  readonly lastSegment: string;
  readonly until: number;
}

/** The moments that can be restored, joined where they overlap, oldest first. */
export function ranges(stored: readonly Stored[], open?: Open): Range[] {
  const joined: Range[] = [];
  for (const { from, to } of candidates(stored, open)) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last.to)
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else joined.push({ from, to });
  }
  return joined;
}

/** A moment in milliseconds since 1970; the last one that there is; or the last one of another cluster than the present, as on a new host. */
export type Moment = number | "latest" | "previous";

/** Postgres's own identifier of a stored cluster, whatever the key. */
const systemOf = (cluster: string) => cluster.slice(0, cluster.lastIndexOf("-"));

function reaching(at: Moment, all: readonly Candidate[], open: Open | undefined): Candidate | undefined {
  if (at === "latest") return all.at(-1);
  if (at !== "previous") return all.findLast(({ from, to }) => from <= at && at <= to);
  return open === undefined ? undefined : all.findLast(({ cluster }) => systemOf(cluster) !== systemOf(open.cluster));
}

/**
 * What has to be read to restore a moment: the newest base that was finished before it, and the log after that.
 * @returns undefined where nothing reaches it
 */
export function planFor(at: Moment, stored: readonly Stored[], open?: Open): Plan | undefined {
  const found = reaching(at, candidates(stored, open), open);
  if (found === undefined) return undefined;
  const { cluster, base, segments } = found;
  const after = typeof at === "string" ? -1 : segments.findIndex((segment) => segment.at > at);
  const needed = after === -1 ? segments : segments.slice(0, after + 1 + SEGMENTS_AFTER);
  const [first, last] = [needed[0]?.name ?? "", needed.at(-1)?.name ?? ""];
  const target = typeof at === "string" ? {} : { target: new Date(at).toISOString() };
  return { cluster, base: base.name, first, last, ...target };
}

/**
 * Whether a recovery reached what was planned: the moment, or the end of the log if all of the log was there.
 * @param ended what recover.sh says: `moment` or `end`
 * @param place up to where it read
 */
export const isReached = ({ last }: Pick<Plan, "last">, ended: string | undefined, place: string): boolean =>
  ended === "moment" || segmentAt(timelineOf(last), bytesOf(place)) === last;

/** The names of the segments from one to another of the same timeline. */
export function between(first: string, last: string): string[] {
  const [from, to] = [numberOf(first), numberOf(last)];
  const at = (number: number) => segmentAt(timelineOf(first), number * SEGMENT_BYTES);
  return Array.from({ length: to - from + 1 }, (_, index) => at(from + index));
}

/**
 * What is no longer needed to restore any moment of the last days: bases before the newest one that was there at their
 * beginning, and segments before the first that is left needs.
 */
export function expired(stored: Stored, since: number): { readonly bases: string[]; readonly segments: string[] } {
  const bases = byAge(stored.bases);
  const first = Math.max(
    0,
    bases.findLastIndex(({ finished }) => finished <= since),
  );
  const kept = bases.slice(first);
  // Without any base no segment is of use.
  const from = Math.min(...kept.map(({ start }) => numberOf(start)));
  return {
    bases: bases.slice(0, first).map(({ name }) => name),
    segments: stored.segments.filter(({ name, at }) => at < since && numberOf(name) < from).map(({ name }) => name),
  };
}
