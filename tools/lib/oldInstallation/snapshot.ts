import type { Writable } from "node:stream";
import { ArchiveWriter } from "../../../services/backup/src/archive.ts";
import { framed } from "../../../services/backup/src/frames.ts";
import {
  dumpPath,
  FORMAT,
  GRAFANA_DB,
  MANIFEST,
  type Manifest,
  REDIS_DUMP,
  type SavedSchema,
  SCHEMAS,
} from "../../../services/backup/src/manifest.ts";
import type { GrafanaFacts, OldGrafana } from "../../../services/backup/src/oldGrafana.ts";
import { tableDifferences } from "../../../services/backup/src/tables.ts";
import type { Daemon } from "../daemon.ts";
import { textFrom, written } from "../flow.ts";
import { UserError } from "../log.ts";
import { addFiles } from "./files.ts";
import { prepareGrafana } from "./grafana.ts";
import type { OldHost } from "./host.ts";
import { schemaOf } from "./layout.ts";
import type { Plan } from "./plan.ts";
import { leftKeys, oldDump, ownedKeys, type RedisFound } from "./redis.ts";
import { Scratch } from "./scratch.ts";
import { type PreparedStreams, prepareStreams } from "./streams.ts";
import { oldSums } from "./tables.ts";

/** The snapshot that was made of an old installation, and what is known of its content. */
export interface OldSnapshot {
  readonly id: string;
  readonly redis: RedisFound;
  readonly grafana: GrafanaFacts;
  readonly streams: PreparedStreams;
  /** What turned out to stay behind while it was read. */
  readonly left: readonly string[];
}

/** The old tables, each schema as its owner has it. What was read and what was restored must be the same rows. */
async function addTables(archive: ArchiveWriter, daemon: Daemon, host: OldHost, plan: Plan) {
  const { postgres } = plan.project.stores;
  const { database, tables } = plan;
  if (postgres === undefined || database === undefined) throw new Error("the plan has no Postgres");
  const scratch = new Scratch(daemon, await daemon.container("postgres"));
  const schemas: SavedSchema[] = [];
  const owners = tables.moved.map(({ owner, schema }) => ({ schema, owner: schemaOf(owner) }));
  await archive.text(SCHEMAS, JSON.stringify(owners));
  try {
    for (const moved of tables.moved) {
      await scratch.take(host, postgres, database, moved);
      const [old, now] = [await oldSums(host, postgres, database, moved), await scratch.sums(moved.schema)];
      const differences = tableDifferences(old, now);
      if (differences.length > 0)
        throw new UserError(
          `the old rows and the restored ones differ, so something still writes: ${differences.join("; ")}`,
        );
      await archive.stream(dumpPath(moved.schema), scratch.dump(moved.schema));
      schemas.push({ schema: moved.schema, owner: schemaOf(moved.owner), tables: old });
    }
    const { major, text } = await scratch.version();
    return { major, version: text, schemas };
  } finally {
    await scratch.remove();
  }
}

const leftOfGrafana = ({ left }: OldGrafana) =>
  Object.entries(left).map(([what, count]) => `${count} ${what} of Grafana`);

/**
 * Reads the old data and saves them in the stack's repository, in the form of one of its own backups: so that they are verified
 * and restored as every backup is. The stack itself is not changed.
 */
export async function makeSnapshot(
  daemon: Daemon,
  host: OldHost,
  plan: Plan,
  environment: string,
): Promise<OldSnapshot> {
  const { redis: oldRedis, nats, grafana: oldGrafana } = plan.project.stores;
  if (oldRedis === undefined || nats === undefined || oldGrafana === undefined || plan.grafana === undefined)
    throw new Error("the plan lacks a store");
  const grafanaFile = plan.grafana;
  const backup = ["exec", "--interactive", await daemon.container("backup"), "node", "/app/backup.mjs"];
  const places = JSON.parse(await daemon.ask(...backup, "volumes")) as Readonly<Record<string, string>>;
  let known: Omit<OldSnapshot, "id"> | undefined;
  const write = async (out: Writable) => {
    const startedAt = new Date().toISOString();
    const archive = new ArchiveWriter(out);
    const prepared = await prepareStreams(daemon, host, nats, async (path, content) => {
      await archive.stream(path, content);
    });
    const redis = await ownedKeys(daemon, oldDump(host, oldRedis, plan.redis.password), plan.redis.database);
    await archive.stream(REDIS_DUMP, redis.content);
    const { version, ...postgres } = await addTables(archive, daemon, host, plan);
    const grafana = await prepareGrafana(daemon, host, oldGrafana, grafanaFile);
    await archive.stream(GRAFANA_DB, grafana.content);
    const volumes = Object.keys(places).sort();
    for (const volume of volumes) await addFiles(archive, host, volume, plan.files.moved);
    const manifest: Manifest = {
      ...{ format: FORMAT, stack: plan.project.name, environment, startedAt, finishedAt: new Date().toISOString() },
      versions: { postgres: version, "old postgres": plan.database?.version ?? "unknown" },
      postgres: { ...{ database: "autollm", faults: [], lost: [] }, ...postgres },
      redis: { keys: redis.found.keys },
      jetstream: prepared.saved,
      volumes: volumes.map((name) => ({ name, changed: [] })),
      stateExportedAt: null,
      files: archive.sums,
      broken: archive.broken,
    };
    await archive.text(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
    await archive.end();
    known = {
      redis: redis.found,
      grafana: grafana.found.facts,
      streams: prepared,
      left: [...leftKeys(redis.found), ...leftOfGrafana(grafana.found)],
    };
  };
  const { id } = JSON.parse(await textFrom(daemon.flow([...backup, "adopt"], framed(written(write))))) as {
    id: string;
  };
  if (known === undefined) throw new Error("the snapshot was made of nothing");
  return { id, ...known };
}
