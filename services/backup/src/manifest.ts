import type { FileSum } from "./files.ts";
import type { StreamInfo } from "./jetstream.ts";
import type { TableSum } from "./tables.ts";

/** The form of a snapshot's content; a restore refuses one that it does not know. */
export const FORMAT = 1;
export const MANIFEST = "manifest.json";
export const POSTGRES_DUMP = "postgres.dump";
export const REDIS_DUMP = "redis.rdb";
export const GRAFANA_DB = "grafana.db";
export const STATE_FILE = "stack.json";
export const JETSTREAM_DIR = "jetstream";
export const VOLUMES_DIR = "volumes";

/** What a snapshot holds, written into it last. */
export interface Manifest {
  readonly format: number;
  readonly stack: string;
  readonly environment: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** The servers and programs that made it. */
  readonly versions: Readonly<Record<string, string>>;
  readonly postgres: { readonly database: string; readonly major: number; readonly tables: readonly TableSum[] };
  readonly redis: { readonly keys: number };
  readonly jetstream: readonly StreamInfo[];
  /** `changed`: files that were written while they were copied, so that the copy may be of no single moment. */
  readonly volumes: readonly { readonly name: string; readonly changed: readonly string[] }[];
  /** When the export of the stack's state was made; null where none was ever given. */
  readonly stateExportedAt: string | null;
  /** Every file of the snapshot but this one. */
  readonly files: readonly FileSum[];
}

/** What is wrong with a snapshot that was read back, in words; empty when it is whole. */
export function manifestFaults(manifest: Manifest, found: readonly FileSum[], volumes: readonly string[]): string[] {
  if (manifest.format !== FORMAT) return [`its form is ${manifest.format}; this version knows ${FORMAT}`];
  const saved = new Map(manifest.files.map((file) => [file.path, file]));
  const there = new Map(found.map((file) => [file.path, file]));
  const required = [
    POSTGRES_DUMP,
    REDIS_DUMP,
    GRAFANA_DB,
    ...manifest.jetstream.flatMap(({ name }) => [`${JETSTREAM_DIR}/${name}.json`, `${JETSTREAM_DIR}/${name}.snapshot`]),
  ];
  return [
    ...required.filter((path) => !saved.has(path)).map((path) => `it lacks ${path}`),
    ...volumes
      .filter((name) => !manifest.volumes.some((volume) => volume.name === name))
      .map((name) => `it lacks the volume ${name}`),
    ...manifest.files.flatMap(({ path, bytes, sha256 }) => {
      const file = there.get(path);
      if (file === undefined) return [`${path} is missing`];
      return file.bytes === bytes && file.sha256 === sha256 ? [] : [`${path} is not what was saved`];
    }),
    ...found.filter(({ path }) => !saved.has(path)).map(({ path }) => `${path} is in no manifest`),
  ];
}
