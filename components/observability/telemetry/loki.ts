import * as pulumi from "@pulumi/pulumi";
import { runBoltGuard } from "../../runtime/boltGuard.ts";
import { type PartArgs, runPart } from "../../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../../runtime/volume.ts";
import type { Workload } from "../../runtime/workload.ts";
import { RECOVERY } from "../../runtime/workloadSpec.ts";
import { workloadUser } from "../../uids.ts";
import { LOKI_DATA, lokiConfig } from "./lokiConfig.ts";

export interface LokiArgs extends PartArgs {
  /** Days that log lines are kept. Default 14. */
  readonly retentionDays?: number;
  /** Disk that they may take, GB. Default 20. */
  readonly retentionGb?: number;
}

const CONFIG = "/etc/loki";

/** The compactor's files for retention and deletion. Damage in its own logs it handles and counts by itself. */
const BOLT_FILES = ["compactor/deletion/series_progress.boltdb", "compactor/deletion/delete_requests/delete_requests"];

/** Loki: stores the containers' log lines, and answers queries for them. */
export class Loki extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Sets a damaged file of its compactor aside. */
  readonly guard: Workload;
  /** Its data. */
  readonly volume: StatefulVolume;

  constructor(name: string, args: LokiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Loki", name, {}, opts);
    this.volume = new StatefulVolume(
      "loki-data",
      { target: args.target, ...volumeOwner(workloadUser("loki"), args.images) },
      { parent: this },
    );
    const config = lokiConfig({ retentionDays: args.retentionDays ?? 14, retentionGb: args.retentionGb ?? 20 });
    this.workload = runPart(
      "loki",
      args,
      {
        command: ["/usr/bin/loki", `-config.file=${CONFIG}/config.yaml`],
        deploy: "recreate",
        health: ["/usr/bin/loki", "-health", "-health.url=http://127.0.0.1:3100/ready"],
        startPeriod: RECOVERY,
        memory: 512,
        environment: { GOMEMLIMIT: "400MiB" },
        // What it holds in memory is in its write-ahead log on disk, too.
        stopTimeout: 30,
        files: { [CONFIG]: { "config.yaml": config } },
        volumes: [this.volume.at(LOKI_DATA)],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.guard = runBoltGuard("loki", args, { volume: this.volume, directory: LOKI_DATA, files: BOLT_FILES }, this);
    this.registerOutputs({});
  }
}
