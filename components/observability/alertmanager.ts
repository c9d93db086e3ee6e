import * as pulumi from "@pulumi/pulumi";
import type { CredentialName } from "../credentials/catalogue.ts";
import { credentialFiles } from "../credentials/files.ts";
import { grantedTo } from "../credentials/grants.ts";
import { addressOf, portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { type Damage, settingAside } from "../runtime/setAside.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp, RECOVERY } from "../runtime/workloadSpec.ts";
import { workloadUser } from "../uids.ts";
import { alertmanagerConfig } from "./alertmanagerConfig.ts";
import { listensAt } from "./listen.ts";

export interface AlertmanagerComponentArgs extends PartArgs {
  /** The platform's address, for links; without a slash at its end. */
  readonly url: string;
}

const SECRETS = "/run/secrets";

/** Without them it sends alerts again that it has sent, and those that were silenced. */
export const damages: readonly Damage[] = [
  { says: "error creating silence.*", aside: "silences" },
  { says: "error creating notification log.*", aside: "nflog" },
];

/** Alertmanager: sends Prometheus's alerts to the reporter, Slack and PagerDuty. */
export class Alertmanager extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** What it has sent and what is silenced. */
  readonly volume: StatefulVolume;
  /** Where Prometheus sends its alerts. */
  readonly endpoint = { address: addressOf("alertmanager"), path: "/alertmanager" };

  constructor(name: string, args: AlertmanagerComponentArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Alertmanager", name, {}, opts);
    const { target, credentials } = args;
    this.volume = new StatefulVolume(
      "alertmanager-data",
      { target, ...volumeOwner(workloadUser("alertmanager"), args.images) },
      { parent: this },
    );
    const secrets = credentialFiles(credentials, "alertmanager", grantedTo("alertmanager"));
    const file = (credential: CredentialName) => (credential in secrets ? `${SECRETS}/${credential}` : undefined);
    const slackUrlFile = file("slack-webhook");
    const pagerdutyKeyFile = file("pagerduty-key");
    const heartbeatUrlFile = file("heartbeat-url");
    const supplied = Object.keys(secrets);
    const config = alertmanagerConfig({
      url: args.url,
      ...(slackUrlFile === undefined ? {} : { slackUrlFile }),
      ...(pagerdutyKeyFile === undefined ? {} : { pagerdutyKeyFile }),
      ...(heartbeatUrlFile === undefined ? {} : { heartbeatUrlFile }),
    });
    this.workload = runPart(
      "alertmanager",
      args,
      {
        ...settingAside("/alertmanager", damages, {
          command: [
            "alertmanager",
            "--config.file=/etc/alertmanager/alertmanager.yml",
            ...listensAt("alertmanager"),
            "--storage.path=/alertmanager",
            "--data.retention=120h",
            "--web.route-prefix=/alertmanager",
            `--web.external-url=${args.url}/alertmanager/`,
            // One instance: no peers to talk to, and no port for them.
            "--cluster.listen-address=",
          ],
          files: {
            "/etc/alertmanager": { "alertmanager.yml": config },
            ...(supplied.length === 0 ? {} : { [SECRETS]: secrets }),
          },
        }),
        // Only if there is a receiver outside.
        egress: supplied.length > 0,
        deploy: "recreate",
        health: answersHttp(portOf("alertmanager"), "/alertmanager/-/healthy"),
        startPeriod: RECOVERY,
        memory: 128,
        environment: { GOMEMLIMIT: "100MiB" },
        credentials: supplied,
        volumes: [this.volume.at("/alertmanager")],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
