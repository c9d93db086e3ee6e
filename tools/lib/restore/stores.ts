import { images } from "../../../components/images.ts";
import type { StreamInfo } from "../../../services/backup/src/jetstream.ts";
import { GRAFANA_DB, JETSTREAM_DIR, REDIS_DUMP, VOLUMES_DIR } from "../../../services/backup/src/manifest.ts";
import { UserError } from "../log.ts";
import { ASIDE, handOver, helper, helperImage, momentary, putInPlace, type Source, type Volume } from "./volumes.ts";

/** A volume that was saved as it is. */
export function restoreVolume(source: Source, name: string, volume: Volume): Promise<void> {
  return handOver(source, "unpack", `${VOLUMES_DIR}/${name}`, volume, putInPlace);
}

/** Grafana's database; its plugins stay. Its data sources take the names that they have in the stack's present one. */
export function restoreGrafana(source: Source, volume: Volume): Promise<void> {
  return handOver(source, "cat", GRAFANA_DB, volume, [
    `node /app/backup.mjs grafana-sources ${ASIDE}/new/${GRAFANA_DB} /volume/${GRAFANA_DB}`,
    ...["-journal", "-wal", "-shm"].map((kind) => `rm -f /volume/${GRAFANA_DB}${kind}`),
    `mv ${ASIDE}/new/${GRAFANA_DB} /volume/${GRAFANA_DB}`,
    `rm -rf ${ASIDE}`,
  ]);
}

/** Redis reads its log of writes at the start, and no dump beside it: so the dump becomes the log's base. */
export function restoreRedis(source: Source, volume: Volume): Promise<void> {
  const log = `${ASIDE}/new/appendonlydir`;
  return handOver(source, "cat", REDIS_DUMP, volume, [
    `mkdir ${log}`,
    `mv ${ASIDE}/new/${REDIS_DUMP} ${log}/appendonly.aof.1.base.rdb`,
    `echo 'file appendonly.aof.1.base.rdb seq 1 type b' > ${log}/appendonly.aof.manifest`,
    ...putInPlace,
  ]);
}

/** Joins files that were saved in parts. */
const join = [
  `find ${ASIDE}/new -name '*.parts' -type d | while read -r parts; do`,
  `  cat "$parts"/* > "\${parts%.parts}"`,
  '  rm -r "$parts"',
  "done",
];

/**
 * The streams and their consumers. NATS alone can read its snapshots, so one of its own makes the new store: aside, reached by
 * nobody but the helper that shares its loopback. So no user of the real one need ever be allowed to replace a stream.
 */
export async function restoreStreams(source: Source, saved: readonly StreamInfo[], volume: Volume): Promise<void> {
  const { daemon } = volume;
  await handOver(source, "unpack", JETSTREAM_DIR, volume, [...join, `mkdir ${ASIDE}/store`]);
  const server = momentary("restore-nats");
  await daemon.ask(
    ...[...helper(volume), "--detach", "--name", server, "--entrypoint", images.nats.program, volume.image],
    ...["--jetstream", "--store_dir", `${ASIDE}/store`, "--addr", "127.0.0.1", "--port", "4222"],
  );
  try {
    const names = saved.map(({ name }) => name);
    const said = await daemon.ask(
      ...helper(volume, { network: `container:${server}`, readOnly: true }),
      ...["--entrypoint", "node", await helperImage(daemon), "/app/backup.mjs", "streams", `${ASIDE}/new`, ...names],
    );
    const restored = JSON.parse(said) as StreamInfo[];
    if (JSON.stringify(restored) !== JSON.stringify(saved))
      throw new UserError(`the streams are not as they were saved: ${said}, not ${JSON.stringify(saved)}`);
  } finally {
    await daemon.run(["stop", server], { allowFailure: true });
  }
  await daemon.ask(
    ...[...helper(volume), "--entrypoint", "/bin/sh", await helperImage(daemon), "-euc"],
    [`rm -rf ${ASIDE}/new`, `mv ${ASIDE}/store ${ASIDE}/new`, ...putInPlace].join("\n"),
  );
}
