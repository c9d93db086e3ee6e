import * as pulumi from "@pulumi/pulumi";
import type { Domains } from "../edge/domains.ts";
import { portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { type Damage, settingAside } from "../runtime/setAside.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp, RECOVERY } from "../runtime/workloadSpec.ts";
import { nameIn } from "../segments.ts";
import type { Settings } from "../settings.ts";
import { workloadUser } from "../uids.ts";
import type { OptionalPart } from "./alerts/alert.ts";
import { rulesYaml } from "./alerts/rules.ts";
import { edgeTargets } from "./blackbox.ts";
import { partTargets, prometheusConfig, serviceTargets } from "./prometheusConfig.ts";

export interface PrometheusArgs extends PartArgs {
  /** The application whose images the services run. */
  readonly settings: Pick<Settings, "application" | "release">;
  /** The host names at which the edge is probed. */
  readonly domains: Domains;
  /** Where alerts go. */
  readonly alertmanager: { readonly address: string; readonly path: string };
  /** The components that run, of those that a stack may lack. */
  readonly parts?: readonly OptionalPart[];
  /** Days of metrics that are kept. Default 30. */
  readonly retentionDays?: number;
  /** Size of the metrics that are kept, GB. Default 8. */
  readonly retentionGb?: number;
}

/** Its address: in the segment in which it is called, and in none of those in which it calls. */
const LISTEN = nameIn("prometheus", "prometheus");

/** It repairs a damaged write-ahead log by itself, and counts that; it leaves out a block without its index. */
export const damages: readonly Damage[] = [
  { says: "corrupted block ([0-9A-HJKMNP-TV-Z]{26}):.*", aside: "\\1" },
  { says: "opening storage failed: .*/chunks_head/.*", aside: "chunks_head" },
  { says: "opening storage failed: .*/wal/.*", aside: "wal" },
  { says: "opening storage failed: .*/wbl/.*", aside: "wbl" },
];

/** Prometheus, scraping every service of the catalogue and judging what it scrapes by the rules. */
export class Prometheus extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Its data. */
  readonly volume: StatefulVolume;

  constructor(name: string, args: PrometheusArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Prometheus", name, {}, opts);
    const { target } = args;
    this.volume = new StatefulVolume(
      "prometheus-data",
      { target, ...volumeOwner(workloadUser("prometheus"), args.images) },
      { parent: this },
    );
    const targets = [...serviceTargets(args.settings), ...partTargets(), ...edgeTargets(args.domains)];
    const config = prometheusConfig({
      targets,
      externalLabels: { environment: target.environment },
      rulesFile: "/etc/prometheus/rules.yml",
      alertmanager: args.alertmanager,
    });
    const rules = rulesYaml({ jobs: targets.map(({ job }) => job), parts: args.parts ?? [] });
    this.workload = runPart(
      "prometheus",
      args,
      {
        ...settingAside("/prometheus", damages, {
          command: [
            "prometheus",
            "--config.file=/etc/prometheus/prometheus.yml",
            // An older Prometheus, such as Debian's, takes one address.
            `--web.listen-address=${LISTEN}:${portOf("prometheus")}`,
            "--storage.tsdb.path=/prometheus",
            `--storage.tsdb.retention.time=${args.retentionDays ?? 30}d`,
            `--storage.tsdb.retention.size=${args.retentionGb ?? 8}GB`,
            // The span metrics' exemplars lead from a latency to a trace.
            "--enable-feature=exemplar-storage",
            "--web.route-prefix=/prometheus",
            "--web.external-url=/prometheus/",
          ],
          files: { "/etc/prometheus": { "prometheus.yml": config, "rules.yml": rules } },
        }),
        deploy: "recreate",
        health: answersHttp(portOf("prometheus"), "/prometheus/-/healthy", LISTEN),
        startPeriod: RECOVERY,
        memory: 512,
        environment: { GOMEMLIMIT: "400MiB" },
        stopTimeout: 60,
        volumes: [this.volume.at("/prometheus")],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
