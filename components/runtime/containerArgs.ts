import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { namesIn, type SegmentName } from "../segments.ts";
import { HELD } from "./held.ts";
import type { VolumeMount } from "./volume.ts";
import type { WorkloadSpec } from "./workloadSpec.ts";

/** The least that an `up` waits for a container to be healthy. */
const HEALTHY_WITHIN_SECONDS = 180;
const START_PERIOD = 30;
const UNHEALTHY_AFTER = 60;
const MIB = 1024 * 1024;

/** Settings of every container: docs/requirements.md (json-file logs of 10 MB × 3), CIS Docker Benchmark 5.x. */
const hardened = {
  readOnly: true,
  privileged: false,
  init: true,
  logDriver: "json-file",
  // Docker writes the labels beside each line, so the log collector knows its service without asking the daemon.
  logOpts: { "max-size": "10m", "max-file": "3", labels: "autollm.service,autollm.stack" },
} as const;

/** A duration as Docker writes it back: any other form of the same time would show as a change at the next `up`. */
export function dockerDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

/** Seconds that an `up` waits for a container to be healthy: no less than Docker does before it calls it unhealthy. */
const healthyWithin = ({ startPeriod = START_PERIOD, unhealthyAfter = UNHEALTHY_AFTER }: WorkloadSpec) =>
  Math.max(HEALTHY_WITHIN_SECONDS, startPeriod + unhealthyAfter);

/** Docker's form of a health check. */
function healthcheck(
  command: readonly string[],
  { startPeriod = START_PERIOD, unhealthyAfter = UNHEALTHY_AFTER }: WorkloadSpec,
  interval: number,
) {
  return {
    tests: ["CMD", ...command],
    interval: dockerDuration(interval),
    timeout: "5s",
    retries: Math.ceil(unhealthyAfter / interval),
    startPeriod: dockerDuration(startPeriod),
  };
}

/** Variables as Docker takes them, in a fixed order. */
export function environmentList(environment: Readonly<Record<string, pulumi.Input<string>>>): pulumi.Output<string>[] {
  return Object.entries(environment)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => pulumi.interpolate`${key}=${value}`);
}

/** What a container is given besides its workload's own description. */
interface Surroundings {
  readonly labels: Readonly<Record<string, pulumi.Input<string>>>;
  /** The Docker network of a segment. */
  readonly network: (segment: SegmentName) => pulumi.Input<string>;
  /** Seconds between two health checks. */
  readonly healthInterval: number;
  /** The directories on the Docker host with its files. */
  readonly mounts: readonly { readonly source: pulumi.Input<string>; readonly path: string }[];
}

const bind = (source: pulumi.Input<string>, target: string) => ({ type: "bind", source, target, readOnly: true });

function volumeMount({ name, path, readOnly, noCopy }: VolumeMount) {
  return {
    type: "volume",
    source: name,
    target: path,
    ...(readOnly === true ? { readOnly: true } : {}),
    ...(noCopy ? { volumeOptions: { noCopy: true } } : {}),
  };
}

/** The options of a writable memory file system. */
const memoryFiles = (size: number) => `rw,noexec,nosuid,nodev,size=${size * MIB},mode=1777`;

/** When it starts and again, and how long an `up` waits for it. */
function lifecycle(spec: WorkloadSpec) {
  if (spec.deploy === "on-demand") return { restart: "no", ...HELD };
  return {
    restart: "unless-stopped",
    wait: true,
    waitTimeout: healthyWithin(spec),
    // The provider removes a stopped container at a refresh, unless it need not run.
    ...(spec.mayBeStopped === true ? { mustRun: false } : {}),
  };
}

/** The arguments of a workload's container, without what its claim adds. */
export function containerArgs(name: string, spec: WorkloadSpec, given: Surroundings): docker.ContainerArgs {
  const [program = "", ...words] = spec.command;
  return {
    ...hardened,
    capabilities: { drops: ["ALL"], adds: [...(spec.capabilities ?? [])] },
    securityOpts: ["no-new-privileges:true"],
    image: spec.image.id,
    entrypoints: [program],
    command:
      spec.imageCommand === undefined ? words : pulumi.output(spec.imageCommand).apply((own) => [...words, ...own]),
    user: spec.user,
    ...(spec.groups === undefined ? {} : { groupAdds: spec.groups.map(String).sort() }),
    // Not the name itself: a newer Docker resolves a hostname in every network, even where no workload may be called.
    hostname: spec.hostname ?? `${name}-host`,
    envs: environmentList(spec.environment ?? {}),
    memory: spec.memory,
    memorySwap: spec.memory,
    cpuShares: spec.cpuShares ?? 1024,
    // If no network is named, Docker would use its default one, which leads to the internet.
    networkMode: spec.segments.length === 0 ? "none" : "bridge",
    networksAdvanced: spec.segments.map((segment) => ({
      name: given.network(segment),
      aliases: namesIn(name, segment, spec.serves ?? []),
    })),
    mounts: [
      ...given.mounts.map(({ source, path }) => bind(source, path)),
      ...(spec.volumes ?? []).map(volumeMount),
      ...(spec.hostMounts ?? []).map(({ source, path }) => bind(source, path)),
    ],
    tmpfs: Object.fromEntries(Object.entries(spec.tmpfs ?? {}).map(([path, size]) => [path, memoryFiles(size)])),
    ports: (spec.ports ?? []).map(({ internal, external, address, protocol }) => ({
      internal,
      external,
      ip: address,
      protocol: protocol ?? "tcp",
    })),
    ...(spec.health === undefined ? {} : { healthcheck: healthcheck(spec.health, spec, given.healthInterval) }),
    labels: Object.entries(given.labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([label, value]) => ({ label, value })),
    stopTimeout: spec.stopTimeout ?? 15,
    destroyGraceSeconds: spec.stopTimeout ?? 15,
    ...lifecycle(spec),
  };
}
