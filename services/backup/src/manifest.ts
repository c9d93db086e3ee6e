import type { FileSum } from "./archive.ts";
import type { StreamInfo } from "./jetstream.ts";
import type { TableSum } from "./tables.ts";

/** The form of a snapshot's content; a restore refuses one that it does not know. */
export const FORMAT = 2;
/** A folder of files, with one dump of the whole database and checksums of another kind: still restored. */
export const FORMER_FORMAT = 1;
export const MANIFEST = "manifest.json";
export const FORMER_DUMP = "postgres.dump";
export const REDIS_DUMP = "redis.rdb";
export const GRAFANA_DB = "grafana.db";
export const STATE_FILE = "stack.json";
export const JETSTREAM_DIR = "jetstream";
export const POSTGRES_DIR = "postgres";
export const VOLUMES_DIR = "volumes";
/** After the streams of an old installation: what was moved, and what was left out. */
export const OLD_STREAMS = "streams.json";

/** Every schema and its owner, before the dumps: a test makes the roles first. */
export const SCHEMAS = `${POSTGRES_DIR}/schemas.json`;

/** Where a schema's dump lies in a snapshot. */
export const dumpPath = (schema: string) => `${POSTGRES_DIR}/${schema}.dump`;

export interface SavedSchema {
  readonly schema: string;
  /** The role that it belongs to, and as which it is restored. */
  readonly owner: string;
  readonly tables: readonly TableSum[];
}

/** A schema that is not in the snapshot, and why. */
export interface SchemaFault {
  readonly schema: string;
  readonly owner: string;
  readonly reason: string;
}

export interface PostgresSaved {
  readonly database: string;
  readonly major: number;
  readonly version: string;
  readonly schemas: readonly SavedSchema[];
  readonly faults: readonly SchemaFault[];
  /** What no dump of a schema holds: `large objects of ROLE`. */
  readonly lost: readonly string[];
}

/** What a snapshot holds, written into it last. */
export interface Manifest {
  readonly format: number;
  readonly stack: string;
  readonly environment: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** The servers and programs that made it. */
  readonly versions: Readonly<Record<string, string>>;
  /** Of the former form, `tables` stands in place of `schemas`. */
  readonly postgres: Omit<PostgresSaved, "version"> & { readonly tables?: readonly TableSum[] };
  readonly redis: { readonly keys: number };
  readonly jetstream: readonly StreamInfo[];
  /** `changed`: files that were written while they were copied, so that the copy may be of no single moment. */
  readonly volumes: readonly { readonly name: string; readonly changed: readonly string[] }[];
  /** When the export of the stack's state was made; null where none was ever given. */
  readonly stateExportedAt: string | null;
  /** Every file of the snapshot but this one. */
  readonly files: readonly FileSum[];
  /** Files that were begun and given up, of which a piece may be there. */
  readonly broken?: readonly string[];
}

/** Every table that a snapshot holds. */
export const savedTables = ({ postgres }: Manifest): readonly TableSum[] =>
  postgres.tables ?? postgres.schemas.flatMap(({ tables }) => tables);

/** What is missing from a snapshot that was made all the same, in words; empty when nothing is. */
export const missing = ({ faults, lost }: Pick<PostgresSaved, "faults" | "lost">): string[] => [
  ...faults.map(({ schema, reason }) => `schema ${schema}: ${reason}`),
  ...lost.map((what) => `${what}: no dump of a schema holds them`),
];

/** What is wrong with a snapshot that was read back, in words; empty when it is whole. */
export function manifestFaults(manifest: Manifest, found: readonly FileSum[], volumes: readonly string[]): string[] {
  if (manifest.format !== FORMAT && manifest.format !== FORMER_FORMAT)
    return [`its form is ${manifest.format}; this version knows ${FORMER_FORMAT} and ${FORMAT}`];
  const saved = new Map(manifest.files.map((file) => [file.path, file]));
  const there = new Map(found.map((file) => [file.path, file]));
  const broken = new Set(manifest.broken);
  const dumps =
    manifest.format === FORMER_FORMAT ? [FORMER_DUMP] : manifest.postgres.schemas.map(({ schema }) => dumpPath(schema));
  const required = [
    ...dumps,
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
    ...found.filter(({ path }) => !saved.has(path) && !broken.has(path)).map(({ path }) => `${path} is in no manifest`),
  ];
}
