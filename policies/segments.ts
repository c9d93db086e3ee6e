import { isServiceName, type ServiceSpec, serviceNames, services } from "../components/platform/catalogue.ts";
import { declaredEgress } from "./lib/declared.ts";

const service = (name: string): ServiceSpec | undefined => (isServiceName(name) ? services[name] : undefined);

/** The segments in which services call a component. */
const callersOf = (part: string) =>
  serviceNames.filter((name) => service(name)?.needs.includes(part)).map((name) => `${name}-calls`);
/** The segments in which services answer. */
const answering = serviceNames.filter((name) => service(name)?.port !== null);

/** The segments that each component needs. A second opinion on purpose: it is written independently of the components. */
const partSegments: Readonly<Record<string, readonly string[]>> = {
  caddy: [
    ...["egress", "grafana", "prometheus", "alertmanager", "jaeger", "edge-limiter"],
    ...serviceNames.filter((name) => service(name)?.routes !== undefined),
  ],
  postgres: ["postgres", ...callersOf("postgres")],
  redis: ["redis", ...callersOf("redis")],
  nats: ["nats", "nats-streams", ...callersOf("nats")],
  "ib-gateway": ["broker", "egress"],
  prometheus: [
    "prometheus",
    "alertmanager",
    "grafana",
    "loki",
    "traces",
    "caddy",
    "edge-limiter",
    "scrape",
    ...answering,
  ],
  alertmanager: ["alertmanager", "reporter", "egress"],
  grafana: ["grafana", "prometheus", "loki", "jaeger"],
  loki: ["loki"],
  "otel-collector": ["traces", ...answering.map((name) => `${name}-calls`)],
  "log-collector": ["scrape", "loki"],
  jaeger: ["jaeger", "traces"],
  "node-exporter": ["scrape"],
  cadvisor: ["scrape"],
  "blackbox-exporter": ["scrape", "caddy"],
  "postgres-exporter": ["scrape", "postgres"],
  "redis-exporter": ["scrape", "redis"],
  "nats-exporter": ["scrape", "nats"],
  backup: ["scrape", "postgres", "redis", "nats", "egress"],
  "edge-limiter": ["edge-limiter", "redis"],
  "edge-sockets": ["public", "caddy"],
  "nats-streams": ["scrape", "nats-streams"],
  "wal-archive": ["scrape", "postgres", "egress"],
  "restore-test": [],
  "loki-guard": [],
  "otel-collector-guard": [],
  "log-collector-guard": [],
};

/** The segments that a workload needs; undefined for an unknown one. */
export function neededSegments(workload: string): readonly string[] | undefined {
  const entry = service(workload);
  if (entry === undefined) return partSegments[workload];
  const { port, needs, egress } = entry;
  const callers = serviceNames.filter((name) => service(name)?.needs.includes(workload));
  const callsParts = port !== null || needs.some((need) => ["nats", "postgres", "redis"].includes(need));
  return [
    ...(port === null ? [] : [workload, ...callers.map((name) => `${name}-to-${workload}`)]),
    ...(callsParts ? [`${workload}-calls`] : []),
    ...needs.filter(isServiceName).map((name) => `${workload}-to-${name}`),
    ...(needs.includes("ib-gateway") ? ["broker"] : []),
    ...(egress || (isServiceName(workload) && declaredEgress(workload)) ? ["egress"] : []),
  ];
}

/** The segments that have a way out of the host; all others are internal. */
export const OPEN_SEGMENTS: readonly string[] = ["public", "egress"];
