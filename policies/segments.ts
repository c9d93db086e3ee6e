import { isServiceName, services } from "../components/platform/catalogue.ts";

/** The segments that each part around the services needs. A second opinion: it is written apart from the components. */
const partSegments: Readonly<Record<string, readonly string[]>> = {
  caddy: ["public", "edge", "observability"],
  "edge-limiter": ["edge", "observability"],
  postgres: ["data"],
  redis: ["data"],
  nats: ["apps", "observability"],
  "ib-gateway": ["broker", "egress"],
  prometheus: ["observability", "edge"],
  alertmanager: ["observability", "egress"],
  grafana: ["edge", "observability"],
  loki: ["observability"],
  "otel-collector": ["observability"],
  "log-collector": ["observability"],
  jaeger: ["edge", "observability"],
  "node-exporter": ["observability"],
  cadvisor: ["observability"],
  "blackbox-exporter": ["observability", "edge"],
  "postgres-exporter": ["data", "observability"],
  "redis-exporter": ["data", "observability"],
  "nats-exporter": ["apps", "observability"],
  backup: ["data", "apps", "observability", "egress"],
  "restore-test": [],
};

/** The segments that a workload needs; undefined for one that nobody has heard of. */
export function neededSegments(service: string): readonly string[] | undefined {
  if (!isServiceName(service)) return partSegments[service];
  const { segments, egress } = services[service];
  return egress ? [...segments, "egress"] : segments;
}

/** The segments that have a way out of the host; all others are internal. */
export const OPEN_SEGMENTS: readonly string[] = ["public", "egress"];
