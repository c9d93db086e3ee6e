import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../../../services/backup/src/walCommands.ts";
import { isReached, type Plan, type Range, timelineOf } from "../../../services/backup/src/walPlan.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { helper, type Volume, volumeOf } from "./volumes.ts";

const PROGRAM = ["node", "/app/backup.mjs"];
const recoverScript = readFileSync(new URL("../../../components/backup/recover.sh", import.meta.url), "utf8");
/** How long a closed segment of the log may take until it is stored. */
const STORED_WITHIN_S = 90;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** Moments by a name, and what they are. */
const named: Readonly<Record<string, string>> = {
  latest: "the last commit that is stored",
  previous: "the last commit of the cluster before this one",
};

/** What a moment is called. */
export const momentText = (at: string): string => named[at] ?? at;

/**
 * What `--at` says: a moment in UTC, as the archive takes it, or a name.
 * @throws for anything else, such as a time without a zone
 */
export function momentOf(at: string): string {
  if (Object.hasOwn(named, at)) return at;
  const time = MOMENT.test(at) ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(time))
    throw new UserError(
      `--at ${at}: write a time with its zone, such as 2026-11-28T14:03:00Z, or ${Object.keys(named).join(" or ")}`,
    );
  return new Date(time).toISOString();
}

/** The ranges for a reader. Seconds are rounded to those that are whole. */
export function rangesText(ranges: readonly Range[]): string {
  const time = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
  const whole = ranges
    .map(({ from, to }) => ({ from: Math.ceil(from / 1000) * 1000, to: Math.floor(to / 1000) * 1000 }))
    .filter(({ from, to }) => from <= to);
  return whole.length === 0
    ? "nothing yet: the first base backup is made within minutes after `up`"
    : whole.map(({ from, to }) => `${time(from)} to ${time(to)}`).join(", ");
}

/** Postgres of a stack, and the archive of its log. */
export class PointInTime {
  readonly #daemon: Daemon;
  readonly #postgres: string;
  readonly #archive: string;
  readonly #volume: Volume;

  private constructor(daemon: Daemon, postgres: string, archive: string, volume: Volume) {
    this.#daemon = daemon;
    this.#postgres = postgres;
    this.#archive = archive;
    this.#volume = volume;
  }

  static async of(daemon: Daemon): Promise<PointInTime> {
    const [postgres, archive] = [await daemon.container("postgres"), await daemon.container("wal-archive")];
    return new PointInTime(daemon, postgres, archive, await volumeOf(daemon, postgres, "/var/lib/postgresql/data"));
  }

  /** Which moments there are, and what has to be read for this one. */
  async #ask(at: string): Promise<Answer> {
    const ended = await this.#daemon.run(["exec", this.#archive, ...PROGRAM, "wal-plan", at], { allowFailure: true });
    if (ended.code !== 0) throw new UserError(`${ended.stderr.trim()}\nNothing was changed.`);
    return JSON.parse(ended.stdout) as Answer;
  }

  /**
   * Has everything stored that was committed until now, if Postgres runs: what is about to be replaced can be restored as well.
   * @throws when the archive does not take it in time
   */
  async storeAll(): Promise<void> {
    if ((await this.#daemon.ask("inspect", "--format", "{{.State.Running}}", this.#postgres)) !== "true") return;
    const psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--host=/tmp", "--username=postgres"];
    // Where nothing was written since the last one, it is the beginning of a segment that is empty.
    const last = await this.#daemon.ask(
      ...["exec", this.#postgres, ...psql, "--command=SELECT pg_walfile_name(pg_switch_wal() - 1)"],
    );
    for (let waited = 0; waited < STORED_WITHIN_S; waited++) {
      const { plan } = await this.#ask("latest");
      if (plan !== undefined && timelineOf(plan.last) === timelineOf(last) && plan.last >= last) return;
      await sleep(1000);
    }
    throw new UserError(
      `the last commits were not stored within ${STORED_WITHIN_S} s, so they could not be restored either: see the log of ${this.#archive}`,
    );
  }

  /** Whether what is stored reaches a moment. */
  async has(at: string): Promise<boolean> {
    return (await this.#ask(at)).plan !== undefined;
  }

  /** @throws when nothing reaches the moment */
  async plan(at: string): Promise<{ readonly plan: Plan; readonly bytes: number }> {
    const { plan, bytes, ranges } = await this.#ask(at);
    if (plan === undefined)
      throw new UserError(
        `${momentText(at)} cannot be restored. What can: ${rangesText(ranges)}.\nNothing was changed.`,
      );
    return { plan, bytes };
  }

  /** Docker's arguments that run a shell script as the owner of Postgres's volume, which is at /volume. */
  #inVolume(script: string, { options = [] as readonly string[], args = [] as readonly string[] } = {}): string[] {
    const shell = ["--entrypoint", "/bin/sh", this.#volume.image, "-euc", script, "sh", ...args];
    return [...helper(this.#volume), ...options, ...shell];
  }

  /**
   * Before anything is read: a restore that was cut short has left things beside the cluster.
   * @throws when the disk has no room for a second cluster
   */
  async prepare(bytes: number): Promise<void> {
    const script = [
      "cd /volume",
      "[ -e pgdata ] || mv pgdata.replaced pgdata",
      "rm -rf pgdata.replaced pgdata.restored wal.restored",
      "df -Pk . | awk 'NR == 2 { print $4 }'",
      "du -sk pgdata | cut -f1",
    ];
    const said = await this.#daemon.ask(...this.#inVolume(script.join("\n")));
    const [free = 0, used = 0] = said.split("\n").map((line) => Number(line) * 1024);
    const gb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
    if (free < used + bytes)
      throw new UserError(
        `a second cluster needs ${gb(used + bytes)} beside the present one, and ${gb(free)} are free.\nNothing was changed.`,
      );
  }

  async #unpack(from: readonly string[], folder: string, options: string): Promise<void> {
    const script = `mkdir -m 0700 ${folder} && tar ${options} --directory ${folder}`;
    const into = this.#inVolume(script, { options: ["--interactive"] });
    await this.#daemon.pipe(["exec", this.#archive, ...PROGRAM, ...from], this.#daemon, into);
  }

  /** Unpacks the base backup and the log beside the cluster. */
  async unpack({ cluster, base, first, last }: Plan): Promise<void> {
    await this.#unpack(["wal-base", cluster, base], "/volume/pgdata.restored", "-xz -f -");
    await this.#unpack(["wal-log", cluster, first, last], "/volume/wal.restored", "-x -f -");
  }

  /**
   * Recovers the new cluster up to the moment, and stops it.
   * @throws when Postgres does not start with it, or did not reach the moment
   */
  async recover({ last, target }: Plan): Promise<void> {
    const moment = target === undefined ? "" : target.replace("T", " ").replace("Z", "+00");
    const options = ["--memory", "1g", "--pids-limit", "256"];
    const run = this.#inVolume(recoverScript, { options, args: [moment] });
    const { code, stdout, stderr } = await this.#daemon.run(run, { allowFailure: true });
    if (code !== 0) throw new UserError(`the new cluster was not recovered: ${stderr.trim()}\nNothing was changed.`);
    const [ended, place = ""] = stdout.trim().split(" ");
    if (!isReached({ last }, ended, place))
      throw new UserError(`recovery ended at ${place}, before the end of ${last}.\nNothing was changed.`);
  }

  /** Puts the new cluster in the place of the present one. Postgres is stopped. */
  async putInPlace(): Promise<void> {
    await this.#daemon.ask("stop", this.#postgres);
    const script = [
      "cd /volume",
      "mv pgdata pgdata.replaced",
      "mv pgdata.restored pgdata",
      "sync",
      "rm -rf pgdata.replaced wal.restored",
    ];
    await this.#daemon.ask(...this.#inVolume(script.join("\n")));
  }

  /** The container of Postgres. */
  get container(): string {
    return this.#postgres;
  }
}
