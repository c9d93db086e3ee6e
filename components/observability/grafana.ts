import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { type Damage, settingAside } from "../runtime/setAside.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp, RECOVERY } from "../runtime/workloadSpec.ts";
import { nameIn } from "../segments.ts";
import { workloadUser } from "../uids.ts";
import { dashboards } from "./dashboards/dashboards.ts";
import { dashboardJson } from "./dashboards/render.ts";
import { DASHBOARDS, dataSourceNames, grafanaIni, grafanaProvisioning } from "./grafanaConfig.ts";
import { grafanaEviction, grafanaKey } from "./grafanaDatabase.ts";

export interface GrafanaArgs extends PartArgs {
  /** The platform's address, without a slash at its end. */
  readonly url: string;
}

const startScript = readFileSync(new URL("grafana-start.sh", import.meta.url), "utf8");
/** SQLite's files beside a database are moved with it: otherwise the next database would read them. */
const database = ["", "-journal", "-wal", "-shm"].map((suffix) => `grafana.db${suffix}`).join(" ");
/** What people created in Grafana is in the backup; what the platform provisions is there again after a start. */
export const damages: readonly Damage[] = [
  { says: "database disk image is malformed", aside: database },
  { says: "file is not a database", aside: database },
];

/** Grafana, with its data source and dashboards provisioned and the current password applied at every start. */
export class Grafana extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Its database, as `grafana.db`. */
  readonly volume: StatefulVolume;

  constructor(name: string, args: GrafanaArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Grafana", name, {}, opts);
    this.volume = new StatefulVolume(
      "grafana-data",
      { target: args.target, ...volumeOwner(workloadUser("grafana"), args.images) },
      { parent: this },
    );
    const database = { ...args, volume: this.volume.volumeName };
    const key = grafanaKey(database, dataSourceNames(args.target.environment), this);
    const mount = this.volume.at("/var/lib/grafana");
    this.workload = runPart(
      "grafana",
      args,
      {
        ...settingAside("/var/lib/grafana", damages, {
          command: ["/bin/sh", "/etc/autollm/start.sh"],
          files: {
            "/etc/autollm": { "start.sh": startScript, "grafana.ini": grafanaIni(args.url) },
            "/etc/grafana/provisioning": grafanaProvisioning(args.target.environment),
            [DASHBOARDS]: Object.fromEntries(
              dashboards.map((dashboard) => [`${dashboard.uid}.json`, dashboardJson(dashboard)]),
            ),
            "/run/secrets": {
              "grafana-admin": args.credentials.require("grafana", "grafana-admin"),
              "grafana-secret": args.credentials.require("grafana", "grafana-secret"),
            },
          },
        }),
        deploy: "recreate",
        health: answersHttp(portOf("grafana"), "/api/health", nameIn("grafana", "grafana")),
        startPeriod: RECOVERY,
        memory: 512,
        environment: { GOMEMLIMIT: "400MiB" },
        stopTimeout: 30,
        // It starts once its database is ready for its secret key.
        volumes: [{ ...mount, name: pulumi.all([mount.name, key.urn]).apply(([volume]) => volume) }],
        tmpfs: { "/tmp": 64 },
      },
      { parent: this },
    );
    grafanaEviction(database, this, this.workload);
    this.registerOutputs({});
  }
}
