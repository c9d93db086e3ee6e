import type * as pulumi from "@pulumi/pulumi";
import type { Capability } from "../images.ts";
import type { SegmentName } from "../segments.ts";
import type { FileTree } from "./files.ts";
import type { LiveSpec } from "./liveFiles.ts";
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

/**
 * The start period of a program that reads what it has on disk before it can serve: seconds. That takes longer the more data there is,
 * and an interrupted start begins again from the beginning; so it is three times the ten minutes that a start has
 * been tried with (test/e2e/slow-starts.test.ts). While it lasts Docker calls the container "starting": the watchdog leaves it
 * alone, and an `up` waits. The first good check ends it, so a program that fails later is noticed as soon as any other.
 */
export const RECOVERY = 1800;
/**
 * A health command that requests a page inside the container; `wget` is in the official and in the local images.
 * @param host where it listens, for a program that cannot listen on the loopback as well
 */
export function answersHttp(port: number, path: string, host = "127.0.0.1"): readonly string[] {
  return ["wget", "-q", "-O", "/dev/null", `http://${host}:${port}${path}`];
}
