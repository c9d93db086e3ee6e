import { stringify } from "yaml";
import { serviceNames, services } from "../platform/catalogue.ts";

/** Something that answers GET with Prometheus metrics. */
export interface ScrapeTarget {
  readonly job: string;
  /** `host:port` inside the observability segment. */
  readonly address: string;
  /** Default /metrics. */
  readonly path?: string;
}

/** The services' own targets, straight from their catalogue. */
export const serviceTargets: readonly ScrapeTarget[] = serviceNames.flatMap((name) => {
  const { port } = services[name];
  return port === null ? [] : [{ job: name, address: `${name}:${port}` }];
});

/** prometheus.yml: one job a target, so that a job's name is the service's name everywhere. */
export function prometheusConfig(
  targets: readonly ScrapeTarget[],
  externalLabels: Readonly<Record<string, string>>,
): string {
  return stringify({
    global: {
      scrape_interval: "15s",
      scrape_timeout: "10s",
      evaluation_interval: "15s",
      external_labels: externalLabels,
    },
    scrape_configs: targets.map(({ job, address, path }) => ({
      job_name: job,
      ...(path === undefined ? {} : { metrics_path: path }),
      static_configs: [{ targets: [address] }],
    })),
  });
}
