import { isServiceName, services } from "../components/platform/catalogue.ts";
import { ownerOfVolume, volumeNameOf } from "../components/platform/release.ts";
import { sharing } from "./lib/declared.ts";

/** The workloads that may mount a volume. */
export interface VolumeUse {
  readonly writer: string;
  /** The others that may write to it, as the stack's config or the application's table declares. */
  readonly sharers: readonly string[];
  /** The workloads that may read it. */
  readonly readers: readonly string[];
}

const of = (writer: string, ...readers: string[]): VolumeUse => ({ writer, sharers: [], readers });

/** The volumes of the components; the backup saves some, and reports damaged files in others. A second opinion on purpose: it is written independently of the components. */
const partVolumes: Readonly<Record<string, VolumeUse>> = {
  "postgres-data": of("postgres"),
  "redis-data": of("redis", "backup"),
  "nats-data": of("nats"),
  "caddy-data": of("caddy"),
  // A socket over which the edge's sockets are passed, and the program that receives them.
  "edge-sockets": of("edge-sockets", "caddy"),
  "ib-gateway-settings": of("ib-gateway"),
  "jaeger-data": of("jaeger", "backup"),
  "loki-data": { ...of("loki", "backup"), sharers: ["loki-guard"] },
  // The guard sets a damaged file aside.
  "otel-collector-queue": { ...of("otel-collector", "backup"), sharers: ["otel-collector-guard"] },
  "log-collector-queue": { ...of("log-collector", "backup"), sharers: ["log-collector-guard"] },
  "prometheus-data": of("prometheus", "backup"),
  "alertmanager-data": of("alertmanager", "backup"),
  "grafana-data": of("grafana", "backup"),
  "backup-data": of("backup"),
  "wal-archive-data": of("wal-archive"),
  // Only a socket: the backup passes dumps over it.
  "restore-test-socket": of("restore-test", "backup", "wal-archive"),
};

const serviceVolumes: Readonly<Record<string, VolumeUse>> = Object.fromEntries(
  Object.entries(services).flatMap(([service, { volumes }]) =>
    // The backup saves what the services keep.
    volumes.map(({ name }) => [name, of(service, "backup")] as const),
  ),
);

const volumes: Readonly<Record<string, VolumeUse>> = { ...serviceVolumes, ...partVolumes };

/** The workloads that may mount a volume, by the name of its resource; undefined for an unknown one. */
export function volumeUse(volume: string): VolumeUse | undefined {
  if (Object.hasOwn(volumes, volume)) return volumes[volume];
  // What an application keeps beside the catalogue's volumes: `release` in the config, or the application's table, says where.
  const owner = ownerOfVolume(volume);
  if (owner === undefined) return undefined;
  const sharers = sharing().filter((each) => each.owner === owner && volumeNameOf(owner, each.path) === volume);
  return { ...of(owner, "backup"), sharers: sharers.map(({ service }) => service) };
}

/** The volumes whose name Docker's may be, longest first: the engine adds seven hex digits to a resource's name. */
export function volumeOfDockerName(dockerName: string): string | undefined {
  const name = dockerName.replace(/-[0-9a-f]{7}$/, "");
  return volumeUse(name) === undefined ? undefined : name;
}

/** Where a row is added for a new volume of a workload. */
export const whereToAdd = (workload: string): string =>
  isServiceName(workload)
    ? "the service's entry in components/platform/catalogue.ts, or the path in its `writable`"
    : "policies/volumes.ts";
