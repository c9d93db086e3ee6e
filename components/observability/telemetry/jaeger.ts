import * as pulumi from "@pulumi/pulumi";
import { type PartArgs, runPart } from "../../runtime/part.ts";
import { type Damage, settingAside } from "../../runtime/setAside.ts";
import { StatefulVolume, volumeOwner } from "../../runtime/volume.ts";
import type { Workload } from "../../runtime/workload.ts";
import { answersHttp, RECOVERY } from "../../runtime/workloadSpec.ts";
import { workloadUser } from "../../uids.ts";
import { JAEGER_DATA, jaegerConfig } from "./jaegerConfig.ts";

export interface JaegerArgs extends PartArgs {
  /** Days that traces are kept. Default 7. */
  readonly retentionDays?: number;
}

const CONFIG = "/etc/jaeger";

/** Badger's two directories belong together. */
export const damages: readonly Damage[] = [{ says: "failed to initialize storage 'disk'.*", aside: "keys values" }];

/** Jaeger: stores the traces that the collector keeps, on disk, and answers queries for them. */
export class Jaeger extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The traces. */
  readonly volume: StatefulVolume;

  constructor(name: string, args: JaegerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Jaeger", name, {}, opts);
    this.volume = new StatefulVolume(
      "jaeger-data",
      { target: args.target, ...volumeOwner(workloadUser("jaeger"), args.images) },
      { parent: this },
    );
    this.workload = runPart(
      "jaeger",
      args,
      {
        ...settingAside(JAEGER_DATA, damages, {
          command: ["/cmd/jaeger/jaeger-linux", `--config=${CONFIG}/config.yaml`],
          files: { [CONFIG]: { "config.yaml": jaegerConfig({ retentionDays: args.retentionDays ?? 7 }) } },
        }),
        deploy: "recreate",
        health: answersHttp(13133, "/status"),
        startPeriod: RECOVERY,
        memory: 512,
        // Its store also maps files, which count for the limit but not for this.
        environment: { GOMEMLIMIT: "350MiB" },
        stopTimeout: 30,
        volumes: [this.volume.at(JAEGER_DATA)],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
