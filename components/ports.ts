import { ibApiPort } from "./broker/ibPort.ts";
import { isServiceName, services } from "./platform/catalogue.ts";
import { type SegmentName, serviceSeats } from "./segments.ts";

/** Any address: for a workload that listens on all of its addresses. */
const EVERYWHERE = "*";

type Listening = Readonly<Partial<Record<SegmentName | typeof EVERYWHERE, readonly number[]>>>;

/** TCP ports that the components listen on, by segment; those on their loopback are left out. */
const partPorts: Readonly<Record<string, Listening>> = {
  "edge-sockets": { public: [8080, 8443], caddy: [2020, 8080, 8443] },
  caddy: {},
  "edge-limiter": { "edge-limiter": [9190] },
  postgres: { [EVERYWHERE]: [5432] },
  redis: { [EVERYWHERE]: [6379] },
  nats: { [EVERYWHERE]: [4222], nats: [8222] },
  prometheus: { prometheus: [9090] },
  alertmanager: { alertmanager: [9093] },
  grafana: { grafana: [3000] },
  jaeger: { jaeger: [16686], traces: [4317, 8888] },
  loki: { [EVERYWHERE]: [3100] },
  "otel-collector": { [EVERYWHERE]: [4317, 4318], traces: [8888, 8889] },
  "log-collector": { scrape: [8888] },
  "node-exporter": { [EVERYWHERE]: [9100] },
  "postgres-exporter": { scrape: [9187] },
  "redis-exporter": { scrape: [9121] },
  "nats-exporter": { scrape: [7777] },
  "nats-streams": { scrape: [9191] },
  "blackbox-exporter": { scrape: [9115] },
  cadvisor: { [EVERYWHERE]: [8080] },
  backup: { scrape: [9180] },
  "wal-archive": { scrape: [9182] },
  "restore-test": {},
  "loki-guard": {},
  "otel-collector-guard": {},
  "log-collector-guard": {},
};

function listening(workload: string, standIn: boolean): Listening {
  if (isServiceName(workload)) {
    const { port } = services[workload];
    if (port === null) return {};
    return Object.fromEntries(serviceSeats(workload).serves.map((segment) => [segment, [port]]));
  }
  if (workload === "ib-gateway") return { [EVERYWHERE]: [ibApiPort(true, standIn), ibApiPort(false, standIn)] };
  const ports = partPorts[workload];
  if (ports === undefined) throw new Error(`${workload}: its ports are missing in components/ports.ts`);
  return ports;
}

/**
 * The ports on which a workload can be reached in a segment that it joins.
 * @param standIn whether IB Gateway is the stand-in
 * @throws for an unknown workload
 */
export function portsIn(workload: string, segment: SegmentName, standIn: boolean): readonly number[] {
  const ports = listening(workload, standIn);
  return [...new Set([...(ports[EVERYWHERE] ?? []), ...(ports[segment] ?? [])])].sort((a, b) => a - b);
}
