import * as pulumi from "@pulumi/pulumi";
import { runBoltGuard } from "../../runtime/boltGuard.ts";
import { type PartArgs, runPart } from "../../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../../runtime/volume.ts";
import type { Workload } from "../../runtime/workload.ts";
import { workloadUser } from "../../uids.ts";
import { collectorConfig, QUEUE_DIR } from "./collectorConfig.ts";

export interface CollectorArgs extends PartArgs {
  /** Share of the ordinary traces that is kept, percent; failed, slow and order traces all are. Default 20. */
  readonly keptPercent?: number;
}

const CONFIG = "/etc/otelcol-contrib";
/** The image holds one program and no shell: this checks that the program can start; Prometheus checks whether it works. */
export const collectorHealth = ["/otelcol-contrib", "--version"] as const;

/** The OpenTelemetry Collector: receives every span, masks secrets, counts, and keeps the traces that matter. */
export class Collector extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Sets a damaged file of its queue aside. */
  readonly guard: Workload;
  /** What it could not deliver yet. */
  readonly queue: StatefulVolume;

  constructor(name: string, args: CollectorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Collector", name, {}, opts);
    this.queue = new StatefulVolume(
      "otel-collector-queue",
      { target: args.target, ...volumeOwner(workloadUser("otel-collector"), args.images) },
      { parent: this },
    );
    this.workload = runPart(
      "otel-collector",
      args,
      {
        command: ["/otelcol-contrib", `--config=${CONFIG}/config.yaml`],
        // One at a time has the queue's file.
        deploy: "recreate",
        health: collectorHealth,
        memory: 384,
        environment: {
          GOMEMLIMIT: "300MiB",
          OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${args.target.environment}`,
        },
        // What waits for its decision is decided, and written to the queue.
        stopTimeout: 30,
        files: {
          [CONFIG]: { "config.yaml": collectorConfig({ traces: "jaeger:4317", keptPercent: args.keptPercent ?? 20 }) },
        },
        volumes: [this.queue.at(QUEUE_DIR)],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.guard = runBoltGuard("otel-collector", args, { volume: this.queue, directory: QUEUE_DIR, files: ["*"] }, this);
    this.registerOutputs({});
  }
}
