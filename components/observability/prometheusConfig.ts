import { stringify } from "yaml";
import { partNames, parts, type Scraped } from "../parts.ts";
import { type MetricMapping, mappingsOf } from "../platform/applications/application.ts";
import { serviceNames, services } from "../platform/catalogue.ts";
import { applicationOf } from "../platform/started.ts";
import type { Settings } from "../settings.ts";
import { PROBE } from "./nodeExporter.ts";
import { relabelings } from "./relabeling.ts";

/** Something that answers GET with Prometheus metrics. */
export interface ScrapeTarget extends Omit<Scraped, "job" | "port"> {
  readonly job: string;
  /** `host:port` in a segment that it shares with Prometheus. */
  readonly address: string;
  /** For a prober: its target, and which of its modules it uses. */
  readonly probe?: { readonly module: string; readonly url: string };
  /** How often it is scraped. Default 15s. */
  readonly interval?: string;
  /**
   * Whether a new container serves beside the old one while it takes over. Each is then scraped at its own address: by their
   * common name now one and now the other would answer, and every change would look like a restart that lost its counters.
   */
  readonly sideBySide?: boolean;
  /** Its own names for metrics of the platform. */
  readonly mappings?: readonly MetricMapping[];
  /** More labels of every series. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface PrometheusConfigArgs {
  readonly targets: readonly ScrapeTarget[];
  /** The label that tells this Prometheus's alerts from another's. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Path of the rules file; none without it. */
  readonly rulesFile?: string;
  /** Where alerts go: `host:port`, and the path below which Alertmanager serves. */
  readonly alertmanager?: { readonly address: string; readonly path: string };
}

/** The services' own targets, straight from their catalogue, each with the names of the application whose image it runs. */
export const serviceTargets = (settings: Pick<Settings, "application" | "release">): readonly ScrapeTarget[] =>
  serviceNames.flatMap((name) => {
    const { port } = services[name];
    const mappings = mappingsOf(applicationOf(name, settings), name);
    return port === null ? [] : [{ job: name, address: `${name}:${port}`, mappings, sideBySide: true }];
  });

/** The metrics of the parts, straight from their rows. */
export const partTargets = (): readonly ScrapeTarget[] =>
  partNames.flatMap((name) =>
    (parts[name].metrics ?? []).map(({ job = name, port, ...page }) => ({ job, address: `${name}:${port}`, ...page })),
  );

/** The metrics of control groups that are kept: the others would be thousands of unused series. */
const containerFigures =
  "cpu_usage_seconds_total|last_seen|memory_rss|memory_working_set_bytes|spec_memory_limit_bytes|start_time_seconds";

/** From `/docker/ID` or `/system.slice/docker-ID.scope` to the id; series of anything but a container are dropped. */
const containerRelabeling = [
  { source_labels: ["__name__"], regex: `container_(${containerFigures})|cadvisor_version_info`, action: "keep" },
  {
    source_labels: ["id"],
    regex: ".*docker[-/]([0-9a-f]{64})(\\.scope)?",
    target_label: "container_id",
  },
  { source_labels: ["__name__", "container_id"], regex: "container_[^;]+;", action: "drop" },
  { regex: "id|image|name|cpu", action: "labeldrop" },
];

/** From the name of a file system's probe to the mount point: `/@` is `/`, `/var/@` is `/var`. */
const fileSystemRelabeling = [
  { source_labels: ["mountpoint"], regex: `/${PROBE}`, target_label: "mountpoint", replacement: "/" },
  { source_labels: ["mountpoint"], regex: `(/.+)/${PROBE}`, target_label: "mountpoint", replacement: "$1" },
];

/** How Prometheus finds a target: by its name, or by each address that its name has. */
function discovery({ address, sideBySide, labels }: ScrapeTarget) {
  if (sideBySide !== true)
    return { static_configs: [{ targets: [address], ...(labels === undefined ? {} : { labels }) }] };
  const [host, port] = address.split(":");
  return { dns_sd_configs: [{ names: [host], type: "A", port: Number(port), refresh_interval: "5s" }] };
}

/** One job per target, so that a job's name is the service's name everywhere. */
function scrapeConfig(target: ScrapeTarget) {
  const { job, path, probe, interval, containers, fileSystems, mappings = [] } = target;
  return {
    job_name: job,
    ...(interval === undefined ? {} : { scrape_interval: interval }),
    ...(path === undefined ? {} : { metrics_path: path }),
    ...(probe === undefined
      ? {}
      : {
          metrics_path: "/probe",
          params: { module: [probe.module], target: [probe.url] },
          // The series describe the target, not the prober.
          relabel_configs: [{ target_label: "instance", replacement: probe.url }],
        }),
    ...(containers === true
      ? // Its own times would keep the figures of a container that is gone for five minutes.
        { honor_timestamps: false, metric_relabel_configs: containerRelabeling }
      : {}),
    ...(fileSystems === true ? { metric_relabel_configs: fileSystemRelabeling } : {}),
    ...(mappings.length === 0 ? {} : { metric_relabel_configs: relabelings(mappings) }),
    ...discovery(target),
  };
}

/** prometheus.yml */
export function prometheusConfig({ targets, externalLabels, rulesFile, alertmanager }: PrometheusConfigArgs): string {
  return stringify({
    global: {
      scrape_interval: "15s",
      scrape_timeout: "10s",
      evaluation_interval: "15s",
      external_labels: externalLabels,
    },
    ...(rulesFile === undefined ? {} : { rule_files: [rulesFile] }),
    ...(alertmanager === undefined
      ? {}
      : {
          alerting: {
            alertmanagers: [{ path_prefix: alertmanager.path, static_configs: [{ targets: [alertmanager.address] }] }],
          },
        }),
    scrape_configs: targets.map(scrapeConfig),
  });
}
