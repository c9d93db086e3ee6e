import "./components/plainStackTraces.ts";
import "./components/leanPromises.ts";
import * as pulumi from "@pulumi/pulumi";
import { Backup } from "./components/backup/backup.ts";
import { WalArchive } from "./components/backup/walArchive.ts";
import { IbGateway } from "./components/broker/ibGateway.ts";
import { CredentialAges } from "./components/credentials/credentialAges.ts";
import { Credentials } from "./components/credentials/credentials.ts";
import { FormerPasswords } from "./components/data/formerPasswords.ts";
import { Nats } from "./components/data/nats.ts";
import { NatsStreams } from "./components/data/natsStreams.ts";
import { Postgres } from "./components/data/postgres.ts";
import { Redis } from "./components/data/redis.ts";
import { Caddy } from "./components/edge/caddy.ts";
import { domainsOf } from "./components/edge/domains.ts";
import { EdgeLimiter } from "./components/edge/limiter.ts";
import { EdgeSockets } from "./components/edge/sockets.ts";
import { METRICS_DIR } from "./components/host/steps/directories.ts";
import { Alertmanager } from "./components/observability/alertmanager.ts";
import { Exporters } from "./components/observability/exporters.ts";
import { Grafana } from "./components/observability/grafana.ts";
import { Prometheus } from "./components/observability/prometheus.ts";
import { Collector } from "./components/observability/telemetry/collector.ts";
import { Jaeger } from "./components/observability/telemetry/jaeger.ts";
import { LogCollector } from "./components/observability/telemetry/logCollector.ts";
import { Loki } from "./components/observability/telemetry/loki.ts";
import { KillSwitchMount } from "./components/platform/killSwitchMount.ts";
import { Services } from "./components/platform/services.ts";
import { ContainerNames } from "./components/runtime/containerNames.ts";
import { ImageStore } from "./components/runtime/images.ts";
import { Segments } from "./components/runtime/segments.ts";
import type { Workloads } from "./components/runtime/workload.ts";
import { loadStackConfig } from "./components/stackConfig.ts";
import { makeTarget } from "./components/target.ts";

const config = loadStackConfig();
const { settings, supplied, domainKeys } = config;
const domains = domainsOf(settings);

const target = makeTarget(config);
const credentials = new Credentials("credentials", { ...settings, supplied });
const segments = new Segments("segments", { provider: target.docker, range: settings.networkRange });
const images = new ImageStore("images", { provider: target.docker, settings, loader: target.imageLoader });
const workloads: Workloads = new Map();
const part = { target, segments, images, credentials, workloads };

const killSwitch = new KillSwitchMount("kill-switch", { target, live: settings.trading.live });
const postgres = new Postgres("postgres", part);
const redis = new Redis("redis", part);
const nats = new Nats("nats", { ...part, settings, killSwitch });
const natsStreams = new NatsStreams("nats-streams", part, { dependsOn: nats });
const ibGateway = new IbGateway("ib-gateway", {
  ...part,
  ...settings,
  supplied,
  vnc: settings.vncServer,
});

const jaeger = new Jaeger("jaeger", part);
const collector = new Collector("otel-collector", part);
const loki = new Loki("loki", part);
const logCollector = new LogCollector("log-collector", part);

const services = new Services("services", {
  ...part,
  ...{ settings, killSwitch },
  ibPort: ibGateway.port,
  natsDirectory: nats.directory,
  // Who uses NATS finds its streams.
  dependencies: { postgres, redis, nats: natsStreams, "ib-gateway": ibGateway },
});

const ages = new CredentialAges("credential-ages", { ...settings, supplied });
const edgeLimiter = new EdgeLimiter("edge-limiter", part, { dependsOn: redis });
const edgeSockets = new EdgeSockets("edge-sockets", { ...part, ...settings });
const caddy = new Caddy(
  "caddy",
  { ...part, ...settings, domains, domainKeys, sockets: edgeSockets },
  { dependsOn: [edgeLimiter, edgeSockets] },
);
const alertmanager = new Alertmanager("alertmanager", { ...part, url: caddy.url });
const exporters = new Exporters(
  "exporters",
  {
    ...part,
    ...{ domains, killSwitch },
    credentialAges: ages.lines,
    ...(settings.host === undefined ? {} : { hostMetrics: METRICS_DIR }),
  },
  { dependsOn: [postgres, redis] },
);
const prometheus = new Prometheus(
  "prometheus",
  {
    ...part,
    settings,
    parts: ["backup", ...(settings.host === undefined ? [] : ["host" as const])],
    domains,
    alertmanager: alertmanager.endpoint,
  },
  { dependsOn: alertmanager },
);
const grafana = new Grafana("grafana", { ...part, url: caddy.url }, { dependsOn: prometheus });

const backup = new Backup(
  "backup",
  {
    ...part,
    ...{ settings, volumes: services.volumes, grafana: grafana.volume },
    watched: new Map(
      Object.entries({
        "redis-data": redis.volume,
        "prometheus-data": prometheus.volume,
        "alertmanager-data": alertmanager.volume,
        "jaeger-data": jaeger.volume,
        "loki-data": loki.volume,
        "otel-collector-queue": collector.queue,
        "log-collector-queue": logCollector.queue,
      }),
    ),
  },
  // What it saves is there before it saves.
  { dependsOn: [postgres, redis, nats, services, grafana] },
);

const walArchive = new WalArchive(
  "wal-archive",
  { ...part, settings, restoreTest: backup.restoreTest.socket },
  { dependsOn: [postgres, backup.restoreTest] },
);

new FormerPasswords("former-passwords", {
  ...part,
  servers: { redis, nats, postgres },
  readers: [services, exporters, backup, walArchive, edgeLimiter],
  workloads: [...services.workloads.keys(), ...exporters.workloads.keys(), "backup", "wal-archive", "edge-limiter"],
});

new ContainerNames("container-names", {
  target,
  workloads: [...workloads.values()],
  directory: exporters.metricsDirectory,
});

/** Where the platform answers. */
export const url = caddy.url;
export const grafanaUrl = `${caddy.url}/grafana/`;
export const prometheusUrl = `${caddy.url}/prometheus/`;
export const alertmanagerUrl = `${caddy.url}/alertmanager/`;
export const jaegerUrl = `${caddy.url}/jaeger/`;
/** Login `admin` at Grafana. Secret. */
export const grafanaPassword = credentials.require("grafana", "grafana-admin");
/** Login `admin` at the admin pages. Secret. */
export const adminPassword = credentials.require("caddy", "caddy-admin");
/** Opens the backups: keep a copy off the host, or they are lost with it. Secret. */
export const backupKey = credentials.require("backup", "backup-key");
/** Services that run the reference stand-in, because `release` names no image for them. */
export const standIns = services.standIns;
/** The batch job that `./autollm backtest` starts. */
export const backtestContainer = services.workloads.get("backtest-engine")?.containerName;
/** `paper`, or `live` with real money. */
export const trading = settings.trading.live ? "live" : "paper";
/** Every container by its workload's name. */
export const containers = pulumi.output(
  Object.fromEntries([...workloads].map(([name, { containerName }]) => [name, containerName])),
);
