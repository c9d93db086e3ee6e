import * as pulumi from "@pulumi/pulumi";
import { runBoltGuard } from "../../runtime/boltGuard.ts";
import { type PartArgs, runPart } from "../../runtime/part.ts";
import { StatefulVolume } from "../../runtime/volume.ts";
import type { Workload } from "../../runtime/workload.ts";
import { collectorHealth } from "./collector.ts";
import { QUEUE_DIR } from "./collectorConfig.ts";
import { CONTAINER_LOGS, logCollectorConfig } from "./logCollectorConfig.ts";

const CONFIG = "/etc/otelcol-contrib";

/**
 * The log collector: reads Docker's log files of the stack's containers. It is separate from the collector of traces, since it
 * must be root to read them: so it accepts no request.
 */
export class LogCollector extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Sets a damaged file of its queue aside. */
  readonly guard: Workload;
  /** What it could not deliver yet. */
  readonly queue: StatefulVolume;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:LogCollector", name, {}, opts);
    this.queue = new StatefulVolume("log-collector-queue", { target: args.target }, { parent: this });
    const config = logCollectorConfig({
      stack: args.target.labels["autollm.stack"] ?? "",
      logs: "http://loki:3100/otlp",
    });
    this.workload = runPart(
      "log-collector",
      args,
      {
        command: ["/otelcol-contrib", `--config=${CONFIG}/config.yaml`],
        // Two would store each line twice.
        deploy: "recreate",
        health: collectorHealth,
        memory: 256,
        environment: {
          GOMEMLIMIT: "200MiB",
          OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${args.target.environment}`,
        },
        files: { [CONFIG]: { "config.yaml": config } },
        volumes: [this.queue.at(QUEUE_DIR)],
        hostMounts: [{ source: CONTAINER_LOGS, path: CONTAINER_LOGS }],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.guard = runBoltGuard("log-collector", args, { volume: this.queue, directory: QUEUE_DIR, files: ["*"] }, this);
    this.registerOutputs({});
  }
}
