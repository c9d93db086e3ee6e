import { SEGMENT_BYTES } from "./walPlan.ts";

/** Where the log ended for a while. Times are milliseconds since 1970. */
interface Sample {
  readonly bytes: number;
  /** When it ended earlier for the last time: what is new was written after that. */
  readonly since: number;
  /** When it was last seen to end there. */
  seen: number;
}

/**
 * How long the oldest commit has been waiting to be stored, from where the log ended whenever that was asked.
 *
 * Postgres writes small records of its own, which are no commits and do not make it close a segment. So the open segment counts
 * as no older than Postgres lets one with a commit become.
 */
export class Risk {
  #samples: Sample[] = [];
  #storedBytes = 0;
  #until: number | undefined;

  /**
   * Notes where the log ends.
   * @param storedBytes up to where it is stored, without a gap
   */
  note(now: number, bytes: number, storedBytes: number): void {
    const last = this.#samples.at(-1);
    if (last?.bytes === bytes) last.seen = now;
    else this.#samples.push({ bytes, since: last?.seen ?? this.#until ?? now, seen: now });
    this.#storedBytes = storedBytes;
    const waiting = this.#samples.findIndex((sample) => sample.bytes > storedBytes);
    const covered = waiting === -1 ? this.#samples.length : waiting;
    this.#until = this.#samples[covered - 1]?.seen ?? this.#until;
    this.#samples.splice(0, covered);
  }

  /** Until when nothing that was written is missing, in milliseconds since 1970; undefined where that was not seen yet. */
  get until(): number | undefined {
    return this.#until;
  }

  /** Bytes of the log that are not stored. */
  get bytes(): number {
    const end = this.#samples.at(-1)?.bytes ?? 0;
    return Math.max(0, end - this.#storedBytes);
  }

  /**
   * Seconds for which the oldest commit that is not stored has been waiting; 0 when all is stored.
   * @param switchSeconds after how long Postgres closes a segment that has a commit; 0 for never
   */
  seconds(now: number, switchSeconds: number): number {
    const [oldest] = this.#samples;
    if (oldest === undefined) return 0;
    const age = (now - oldest.since) / 1000;
    return this.bytes < SEGMENT_BYTES && switchSeconds > 0 ? Math.min(age, switchSeconds) : age;
  }
}
