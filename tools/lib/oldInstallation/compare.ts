import type { FileSum } from "../../../services/backup/src/archive.ts";
import { type Manifest, VOLUMES_DIR } from "../../../services/backup/src/manifest.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { grafanaNow } from "./grafana.ts";
import { redisNow } from "./redis.ts";
import type { OldSnapshot } from "./snapshot.ts";

/** One thing that was moved, as it was and as it is. */
export interface Compared {
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

const short = (checksum: string) => checksum.replace(/^-/, "").slice(0, 12);

/** The files of each volume: those that were saved, and what they are now. Others are the stack's own. */
export function comparedFiles(saved: readonly FileSum[], now: readonly FileSum[]): Compared[] {
  const there = new Map(now.map((file) => [file.path, file]));
  const own = saved.filter(({ path }) => path.startsWith(`${VOLUMES_DIR}/`));
  const volumes = new Set(own.map(({ path }) => path.split("/")[1] ?? ""));
  return [...volumes].sort().map((volume) => {
    const files = own.filter(({ path }) => path.startsWith(`${VOLUMES_DIR}/${volume}/`));
    const same = files.filter(({ path, bytes, sha256 }) => {
      const found = there.get(path.slice(VOLUMES_DIR.length + 1));
      return found?.bytes === bytes && found.sha256 === sha256;
    });
    return { what: `volume ${volume}`, before: `${files.length} files`, after: `${same.length} files` };
  });
}

/** Looks at what the stack has now, while none of its services runs. */
export async function compared(
  daemon: Daemon,
  manifest: Manifest,
  { redis, grafana }: OldSnapshot,
): Promise<Compared[]> {
  const [redisIs, grafanaIs] = [await redisNow(daemon), await grafanaNow(daemon)];
  const sums = JSON.parse(
    await daemon.ask("exec", await daemon.container("backup"), "node", "/app/backup.mjs", "volume-sums"),
  ) as FileSum[];
  const keys = ({ permanent, digest }: typeof redis) => `${permanent} permanent keys, ${short(digest)}`;
  const own = ({ dashboards, users, checksum }: typeof grafana) =>
    `${dashboards} dashboards, ${users} users, ${short(checksum)}`;
  return [
    // The restore itself has compared the tables and the streams with these figures, and would have failed.
    ...manifest.postgres.schemas.flatMap(({ tables }) =>
      tables.map(({ schema, name, rows, checksum }) => {
        const text = `${rows} rows, ${short(checksum)}`;
        return { what: `table ${schema}.${name}`, before: text, after: text };
      }),
    ),
    { what: "Redis", before: keys(redis), after: keys(redisIs) },
    ...manifest.jetstream.map(({ name, messages, firstSequence, lastSequence }) => {
      const text = `${messages} messages, ${firstSequence} to ${lastSequence}`;
      return { what: `stream ${name}`, before: text, after: text };
    }),
    { what: "Grafana", before: own(grafana), after: own(grafanaIs) },
    ...comparedFiles(manifest.files, sums),
  ];
}

/** The comparison as a table. */
export function comparisonLines(rows: readonly Compared[]): string[] {
  const width = (of: (row: Compared) => string) => Math.max(...rows.map((row) => of(row).length), 6);
  const [first, second, third] = [
    width(({ what }) => what),
    width(({ before }) => before),
    width(({ after }) => after),
  ];
  const line = (what: string, before: string, after: string, same: string) =>
    `  ${what.padEnd(first)}  ${before.padEnd(second)}  ${after.padEnd(third)}  ${same}`.trimEnd();
  return [
    line("", "before", "after", ""),
    ...rows.map(({ what, before, after }) => line(what, before, after, before === after ? "same" : "DIFFERS")),
  ];
}

/** @throws UserError when something is not what it was */
export function requireSame(rows: readonly Compared[]): void {
  const different = rows.filter(({ before, after }) => before !== after);
  if (different.length > 0)
    throw new UserError(
      `not the same as in the old installation: ${different.map(({ what, before, after }) => `${what} (${before}; now ${after})`).join(", ")}`,
    );
}
