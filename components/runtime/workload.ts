import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Capability } from "../images.ts";
import { namesIn, type SegmentName } from "../segments.ts";
import { quote } from "../shell.ts";
import { Files, type FileTree, keyedDigest } from "./files.ts";
import { LIVE_MOUNT, LiveFiles, type LiveSpec } from "./liveFiles.ts";
import type { Segments } from "./segments.ts";
import { shell, type Target } from "./target.ts";
import type { VolumeMount } from "./volume.ts";

/** How a change reaches a running workload. */
export type Deploy =
  /** The new container serves before the old one is removed. */
  | "rolling"
  /** The old one is removed first: two at once would corrupt data or trade twice. */
  | "recreate"
  /** A batch job: it is created, started by hand, and ends by itself. */
  | "on-demand";

/** A directory or file of the host, mounted read-only. */
export interface HostMount {
  readonly source: pulumi.Input<string>;
  /** Path inside the container. */
  readonly path: string;
}

/**
 * The step before another container of a workload starts.
 * @param digest changes whenever the container does; it does not depend on what the claim adds to the environment
 * @param opts options of the resource that does it
 */
export type Claim = (
  digest: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
) => {
  /** What the claim adds to the container. */
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  readonly claimed: pulumi.Resource;
};

/** A workload, independent of Pulumi and Docker. */
export interface WorkloadSpec {
  /** The image, by the id that the daemon resolved, and the reference that it was pinned by. */
  readonly image: { readonly id: pulumi.Input<string>; readonly reference: string };
  /** The whole command line; the image's own entry point is not used. */
  readonly command: readonly string[];
  /** What follows `command`, if only the image says it. */
  readonly imageCommand?: pulumi.Input<readonly string[]>;
  /** Numeric `uid:gid`, never 0, and no other workload's: see components/uids.ts. */
  readonly user: string;
  /** Groups of other workloads whose files it reads, each waived in the policies. */
  readonly groups?: readonly number[];
  /** The networks that it joins; one without any has no network at all. */
  readonly segments: readonly SegmentName[];
  /** The segments in which others reach it by its name; in its other segments it only calls. Default: none. */
  readonly serves?: readonly SegmentName[];
  readonly deploy: Deploy;
  /** Command line that ends with 0 if the workload can serve; only a batch job has none. */
  readonly health?: readonly string[];
  /** Seconds until a failing health check counts; until then it is not restarted for one. Default 30. */
  readonly startPeriod?: number;
  /** Seconds for which every health check must fail until it is unhealthy. Default 60. */
  readonly unhealthyAfter?: number;
  /** Hard limit, MiB; no swap on top. */
  readonly memory: number;
  /** Relative weight against the others. Default 1024, Docker's own. */
  readonly cpuShares?: number;
  /** Most processes and threads. Default 256. */
  readonly pids?: number;
  /** Environment, without any secret. */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Files by mount point, each mounted read-only. */
  readonly files?: Readonly<Record<string, FileTree>>;
  /** Hot-reloaded files, below `LIVE_CURRENT`; a change of `files` makes a new container. */
  readonly live?: LiveSpec;
  /** Names of the credentials among the files, for the policies. */
  readonly credentials?: readonly string[];
  readonly volumes?: readonly VolumeMount[];
  /** Writable memory file systems: path to size in MiB. */
  readonly tmpfs?: Readonly<Record<string, number>>;
  /** Host directories, each read-only and each waived in the policies. */
  readonly hostMounts?: readonly HostMount[];
  /** The step before another container of it. Default: none. */
  readonly claim?: Claim;
  /** Whether an `up` that finds it stopped leaves it stopped. Default false: it is started again. */
  readonly mayBeStopped?: boolean;
  /** Published ports; only edge-sockets has any. */
  readonly ports?: readonly {
    readonly internal: number;
    readonly external: number;
    readonly address: string;
    readonly protocol?: string;
  }[];
  /** Capabilities kept of those that are dropped, each waived in the policies. */
  readonly capabilities?: readonly Capability[];
  /** More labels. */
  readonly labels?: Readonly<Record<string, pulumi.Input<string>>>;
  /** The container's hostname. Default: the workload's name with the suffix `-host`. */
  readonly hostname?: pulumi.Input<string>;
  /** Seconds between SIGTERM and SIGKILL. Default 15. */
  readonly stopTimeout?: number;
}

export interface WorkloadArgs {
  readonly target: Target;
  readonly segments: Segments;
  readonly digestKey: pulumi.Input<string>;
  readonly spec: WorkloadSpec;
}

/** Enough for a database with its connections; a fork bomb reaches it at once (CIS Docker Benchmark 5.29). */
const DEFAULT_PIDS = 256;
/** The least that an `up` waits for a container to be healthy. */
const HEALTHY_WITHIN_SECONDS = 180;
const START_PERIOD = 30;
/**
 * The start period of a program that reads what it has on disk before it can serve: seconds. That takes longer the more data there is,
 * and an interrupted start begins again from the beginning; so it is three times the ten minutes that a start has
 * been tried with (test/e2e/slow-starts.test.ts). While it lasts Docker calls the container "starting": the watchdog leaves it
 * alone, and an `up` waits. The first good check ends it, so a program that fails later is noticed as soon as any other.
 */
export const RECOVERY = 1800;
const UNHEALTHY_AFTER = 60;
const MIB = 1024 * 1024;

/** Settings of every container: platform.md's "Docker with json-file logs 10 MB x 3", CIS Docker Benchmark 5.x. */
const hardened = {
  readOnly: true,
  privileged: false,
  init: true,
  logDriver: "json-file",
  // Docker writes the labels beside each line, so the log collector knows its service without asking the daemon.
  logOpts: { "max-size": "10m", "max-file": "3", labels: "autollm.service,autollm.stack" },
} as const;

const segmentsLabel = ({ segments }: WorkloadSpec) => [...segments].sort().join(",");

/** The labels by which policies, drift checks and people know a container. */
export function workloadLabels(name: string, target: Target, spec: WorkloadSpec): Record<string, pulumi.Input<string>> {
  return {
    ...target.labels,
    ...spec.labels,
    "autollm.service": name,
    "autollm.image": spec.image.reference,
    "autollm.deploy": spec.deploy,
    "autollm.segments": segmentsLabel(spec),
    "autollm.credentials": [...(spec.credentials ?? [])].sort().join(","),
  };
}

/** A duration as Docker writes it back: any other form of the same time would show as a change at the next `up`. */
export function dockerDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

/**
 * A health command that requests a page inside the container; `wget` is in the official and in the local images.
 * @param host where it listens, for a program that cannot listen on the loopback as well
 */
export function answersHttp(port: number, path: string, host = "127.0.0.1"): readonly string[] {
  return ["wget", "-q", "-O", "/dev/null", `http://${host}:${port}${path}`];
}

/**
 * Seconds between two health checks; Docker's own default. While a container starts, Docker 25 and later check every 5 seconds, so
 * what depends on it does not wait longer for this. Each check is a process in the container: at 5 seconds they took as much
 * of a small host as the platform itself (docs/performance.md).
 */
const HEALTH_INTERVAL = 30;

/** Seconds that an `up` waits for a container to be healthy: no less than Docker does before it calls it unhealthy. */
const healthyWithin = ({ startPeriod = START_PERIOD, unhealthyAfter = UNHEALTHY_AFTER }: WorkloadSpec) =>
  Math.max(HEALTHY_WITHIN_SECONDS, startPeriod + unhealthyAfter);

/** Docker's form of a health check. */
function healthcheck(
  command: readonly string[],
  { startPeriod = START_PERIOD, unhealthyAfter = UNHEALTHY_AFTER }: WorkloadSpec,
) {
  return {
    tests: ["CMD", ...command],
    interval: dockerDuration(HEALTH_INTERVAL),
    timeout: "5s",
    retries: Math.ceil(unhealthyAfter / HEALTH_INTERVAL),
    startPeriod: dockerDuration(startPeriod),
  };
}

/** File trees by mount point, as one tree: each mount point becomes a folder of the workload's directory. */
export function joinTrees(trees: Readonly<Record<string, FileTree>>): { tree: FileTree; folders: Map<string, string> } {
  const folders = new Map(Object.keys(trees).map((path) => [path, path.slice(1).replaceAll("/", "-")]));
  const entries = Object.entries(trees).flatMap(([path, tree]) =>
    Object.entries(tree).map(([file, content]) => [`${folders.get(path)}/${file}`, content] as const),
  );
  return { tree: Object.fromEntries(entries), folders };
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Variables as Docker takes them, in a fixed order. */
function environmentList(environment: Readonly<Record<string, pulumi.Input<string>>>): pulumi.Output<string>[] {
  return Object.entries(environment)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => pulumi.interpolate`${key}=${value}`);
}

/** The only way to run a container: hardened by default, reachable by its name in the segments where it serves. */
export class Workload extends pulumi.ComponentResource {
  /** The container's Docker name, generated by the engine so that old and new can run side by side. */
  readonly containerName: pulumi.Output<string>;
  readonly container: docker.Container;
  /** Directory on the Docker host with its hot-reloaded files, if it has any. */
  readonly liveDirectory: string | undefined;

  constructor(name: string, args: WorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:Workload", name, {}, opts);
    const { spec, target } = args;
    const labels = workloadLabels(name, target, spec);
    const { tree, folders } = joinTrees(spec.files ?? {});
    const files =
      folders.size > 0
        ? new Files(`${name}-files`, { target, files: tree, digestKey: args.digestKey }, { parent: this })
        : undefined;
    const live =
      spec.live === undefined
        ? undefined
        : new LiveFiles(
            `${name}-live-files`,
            {
              target,
              digestKey: args.digestKey,
              workload: name,
              user: spec.user,
              capabilities: spec.capabilities ?? [],
              imageId: spec.image.id,
              segments: segmentsLabel(spec),
              ...spec.live,
            },
            // A container that is stopped for the sake of a volume is not made to load files at the same time.
            { parent: this, dependsOn: (spec.volumes ?? []).flatMap(({ given }) => given ?? []) },
          );
    const written = [files, live].flatMap((each) => (each === undefined ? [] : [each.written]));
    const inputs: docker.ContainerArgs = {
      ...hardened,
      capabilities: { drops: ["ALL"], adds: [...(spec.capabilities ?? [])] },
      securityOpts: ["no-new-privileges:true"],
      image: spec.image.id,
      entrypoints: [spec.command[0] ?? ""],
      command:
        spec.imageCommand === undefined
          ? spec.command.slice(1)
          : pulumi.output(spec.imageCommand).apply((own) => [...spec.command.slice(1), ...own]),
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
        name: args.segments.network(segment),
        aliases: namesIn(name, segment, spec.serves ?? []),
      })),
      mounts: [
        ...[...folders].map(([path, folder]) => ({
          type: "bind",
          source: pulumi.interpolate`${files?.path}/${folder}`,
          target: path,
          readOnly: true,
        })),
        ...(live === undefined ? [] : [{ type: "bind", source: live.path, target: LIVE_MOUNT, readOnly: true }]),
        ...(spec.volumes ?? []).map((volume) => ({
          type: "volume",
          source: volume.name,
          target: volume.path,
          ...(volume.readOnly === true ? { readOnly: true } : {}),
          ...(volume.noCopy ? { volumeOptions: { noCopy: true } } : {}),
        })),
        ...(spec.hostMounts ?? []).map(({ source, path }) => ({
          type: "bind",
          source,
          target: path,
          readOnly: true,
        })),
      ],
      tmpfs: Object.fromEntries(
        Object.entries(spec.tmpfs ?? {}).map(([path, size]) => [
          path,
          `rw,noexec,nosuid,nodev,size=${size * MIB},mode=1777`,
        ]),
      ),
      ports: (spec.ports ?? []).map(({ internal, external, address, protocol }) => ({
        internal,
        external,
        ip: address,
        protocol: protocol ?? "tcp",
      })),
      ...(spec.health === undefined ? {} : { healthcheck: healthcheck(spec.health, spec) }),
      labels: Object.entries(labels)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([label, value]) => ({ label, value })),
      stopTimeout: spec.stopTimeout ?? 15,
      destroyGraceSeconds: spec.stopTimeout ?? 15,
      ...(spec.deploy === "on-demand"
        ? { restart: "no", start: false, mustRun: false }
        : {
            restart: "unless-stopped",
            wait: true,
            waitTimeout: healthyWithin(spec),
            // The provider removes a stopped container at a refresh, unless it need not run.
            ...(spec.mayBeStopped === true ? { mustRun: false } : {}),
          }),
    };
    const claim = spec.claim?.(
      // A digest of everything that makes another container, so that none starts without its own claim.
      pulumi.unsecret(pulumi.all([args.digestKey, inputs]).apply(([key, all]) => keyedDigest(key, canonical(all)))),
      { parent: this, dependsOn: written },
    );
    this.container = new docker.Container(
      name,
      claim === undefined
        ? inputs
        : { ...inputs, envs: environmentList({ ...spec.environment, ...claim.environment }) },
      {
        parent: this,
        provider: target.docker,
        dependsOn: [...written, ...(claim === undefined ? [] : [claim.claimed])],
        // The provider reports a changed mount or health check as updated without applying it: a new container applies everything.
        replaceOnChanges: ["*"],
        deleteBeforeReplace: spec.deploy === "recreate",
      },
    );
    // The provider knows no such limit; the daemon keeps this one over restarts.
    shell(
      `${name}-processes`,
      target,
      {
        create: pulumi.interpolate`docker --host ${quote(target.dockerSocket)} update --pids-limit ${spec.pids ?? DEFAULT_PIDS} ${this.container.id} >/dev/null`,
        triggers: [this.container.id, String(spec.pids ?? DEFAULT_PIDS)],
      },
      { parent: this, deletedWith: this.container },
    );
    this.containerName = this.container.name;
    this.liveDirectory = live?.path;
    this.registerOutputs({ containerName: this.containerName });
  }
}
