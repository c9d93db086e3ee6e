import * as pulumi from "@pulumi/pulumi";
import { agesAsMetrics } from "../credentials/ages.ts";
import { POSTGRES_DATABASE } from "../data/postgresRoles.ts";
import { slotUser } from "../data/slotUser.ts";
import type { Domains } from "../edge/domains.ts";
import { addressOf, hostsOf, type PartName, portOf } from "../parts.ts";
import { KILL_SWITCH_MOUNT } from "../platform/killSwitch.ts";
import type { KillSwitchMount } from "../platform/killSwitchMount.ts";
import { type PartArgs, type PartSpec, runPart } from "../runtime/part.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp, type Deploy } from "../runtime/workloadSpec.ts";
import { nameIn } from "../segments.ts";
import { blackboxConfig } from "./blackbox.ts";
import { listensAt } from "./listen.ts";
import { hostFiles, nodeExporterScript } from "./nodeExporter.ts";

export interface ExportersArgs extends PartArgs {
  /** The host names at which the edge answers. */
  readonly domains: Domains;
  /** The kill switch, which is a metric while it is on. */
  readonly killSwitch: KillSwitchMount;
  /** Since when each credential has its value: see `CredentialAges`. */
  readonly credentialAges: pulumi.Input<string>;
  /** Directory on the Docker host into which the host's own programs write metrics. Default: none, as on a machine that the stack does not set up. */
  readonly hostMetrics?: string;
}

const REDIS_HOST = addressOf("redis");

/** The kernel's counters of each container; with these alone cAdvisor needs neither root nor Docker's socket. */
const CONTROL_GROUPS = "/sys/fs/cgroup";

/** Where the metrics of the host's own programs are mounted. */
const HOST_METRICS = "/host/metrics";

/** The file that redis-exporter reads: passwords by address; the address contains the user's name. */
export function redisPasswords(user: string, password: string): string {
  return JSON.stringify({ [`redis://${user}@${REDIS_HOST}`]: password });
}

/** What an exporter's container runs. */
type Exporter = Omit<PartSpec, "deploy" | "memory" | "environment"> & {
  readonly deploy?: Deploy;
  readonly environment?: Readonly<Record<string, string>>;
  readonly memory?: number;
};

const MEMORY = 64;
/** It listens at its name in one segment, which two at a time would share. */
const alone = { deploy: "recreate" } as const;

/** The exporters, by name. */
export function exporters(
  args: Pick<ExportersArgs, "domains" | "credentials" | "credentialAges" | "hostMetrics" | "killSwitch">,
) {
  const { domains, credentials, credentialAges, hostMetrics, killSwitch } = args;
  const redisUser = slotUser("exporter", credentials.generation("redis-exporter"));
  return {
    "node-exporter": {
      command: [
        ...["/bin/sh", "/etc/autollm/start.sh", `--collector.textfile.directory=${KILL_SWITCH_MOUNT}`],
        ...(hostMetrics === undefined ? [] : [`--collector.textfile.directory=${HOST_METRICS}`]),
      ],
      health: answersHttp(portOf("node-exporter"), "/"),
      files: { "/etc/autollm": { "start.sh": `${nodeExporterScript}\n` } },
      // Read at each scrape.
      live: { files: { "credentials.prom": pulumi.output(credentialAges).apply(agesAsMetrics) }, reload: ["true"] },
      hostMounts: [
        ...[...hostFiles, killSwitch.mount],
        ...(hostMetrics === undefined ? [] : [{ source: hostMetrics, path: HOST_METRICS }]),
      ],
      tmpfs: { "/tmp": 1 },
    },
    "postgres-exporter": {
      command: ["/bin/postgres_exporter", ...listensAt("postgres-exporter")],
      ...alone,
      health: answersHttp(portOf("postgres-exporter"), "/"),
      environment: {
        DATA_SOURCE_URI: `${addressOf("postgres")}/${POSTGRES_DATABASE}?sslmode=disable&connect_timeout=3`,
        DATA_SOURCE_USER: "exporter",
        DATA_SOURCE_PASS_FILE: "/run/secrets/postgres-exporter",
      },
      files: {
        "/run/secrets": { "postgres-exporter": credentials.require("postgres-exporter", "postgres-exporter") },
      },
    },
    "redis-exporter": {
      command: [
        "/redis_exporter",
        `--redis.addr=redis://${REDIS_HOST}`,
        `--redis.user=${redisUser}`,
        "--redis.password-file=/run/secrets/redis.json",
        // Shorter than a scrape may take, so that a Redis that hangs is reported as down.
        "--connection-timeout=3s",
        // Its user may not read the server's configuration, and no dashboard shows it.
        "--config-command=-",
        `--web.listen-address=${nameIn("redis-exporter", "scrape")}:${portOf("redis-exporter")}`,
      ],
      ...alone,
      // The image holds one program and no shell: this checks that the program can start; Prometheus checks whether it answers.
      health: ["/redis_exporter", "--version"],
      files: {
        "/run/secrets": {
          "redis.json": credentials
            .require("redis-exporter", "redis-exporter")
            .apply((password) => redisPasswords(redisUser, password)),
        },
      },
    },
    "nats-exporter": {
      command: ["node", "/app/backup.mjs", "nats-metrics"],
      ...alone,
      health: answersHttp(portOf("nats-exporter"), "/health"),
      environment: {
        NODE_OPTIONS: "--max-old-space-size=48",
        HTTP_LISTEN: hostsOf("nats-exporter").join(),
      },
    },
    cadvisor: {
      command: [
        "/usr/bin/cadvisor",
        "-logtostderr",
        "-store_container_labels=false",
        "-enable_metrics=cpu,memory",
        // Only when it is scraped: by default it would collect once per second.
        "-housekeeping_interval=15s",
        "-allow_dynamic_housekeeping=false",
        "-storage_duration=1m",
      ],
      health: answersHttp(portOf("cadvisor"), "/healthz"),
      hostMounts: [{ source: CONTROL_GROUPS, path: CONTROL_GROUPS }],
    },
    "blackbox-exporter": {
      command: ["/bin/blackbox_exporter", "--config.file=/etc/blackbox/config.yml", ...listensAt("blackbox-exporter")],
      ...alone,
      health: answersHttp(portOf("blackbox-exporter"), "/-/healthy"),
      files: { "/etc/blackbox": { "config.yml": blackboxConfig(domains) } },
    },
  } as const satisfies Partial<Record<PartName, Exporter>>;
}

/** Programs that export the metrics of the host and of components without their own metrics to Prometheus. */
export class Exporters extends pulumi.ComponentResource {
  readonly workloads: ReadonlyMap<string, Workload>;
  /** Directory on the Docker host whose folders node-exporter serves as metrics. */
  readonly metricsDirectory: string;

  constructor(name: string, args: ExportersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:observability:Exporters", name, {}, opts);
    const table = Object.entries(exporters(args)) as readonly [PartName, Exporter][];
    this.workloads = new Map(
      table.map(([exporter, spec]) => [
        exporter,
        runPart(
          exporter,
          args,
          {
            memory: MEMORY,
            deploy: "rolling",
            ...spec,
            environment: { GOMEMLIMIT: `${Math.floor(MEMORY * 0.8)}MiB`, ...spec.environment },
          },
          { parent: this },
        ),
      ]),
    );
    const metricsDirectory = this.workloads.get("node-exporter")?.liveDirectory;
    if (metricsDirectory === undefined) throw new Error("node-exporter has no hot-reloaded files");
    this.metricsDirectory = metricsDirectory;
    this.registerOutputs({});
  }
}
