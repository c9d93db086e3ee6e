import { ibApiPort } from "./broker/ibPort.ts";
import { isServiceName, services } from "./platform/catalogue.ts";

/** TCP ports that the parts around the services listen on, besides those on their loopback. */
const partPorts: Readonly<Record<string, readonly number[]>> = {
  caddy: [2020, 8080, 8443],
  "edge-limiter": [9190],
  postgres: [5432],
  redis: [6379],
  nats: [4222, 8222],
  prometheus: [9090],
  alertmanager: [9093],
  grafana: [3000],
  jaeger: [4317, 8888, 16686],
  loki: [3100],
  "otel-collector": [4317, 4318, 8888, 8889],
  "log-collector": [8888],
  "node-exporter": [9100],
  "postgres-exporter": [9187],
  "redis-exporter": [9121],
  "nats-exporter": [7777],
  "blackbox-exporter": [9115],
  cadvisor: [8080],
  backup: [9180],
  "restore-test": [],
};

/**
 * The ports on which a workload can be reached by those who share a segment with it.
 * @param standIn whether IB Gateway is the stand-in
 * @throws for a workload that nothing is known of
 */
export function portsOf(workload: string, standIn: boolean): readonly number[] {
  if (isServiceName(workload)) {
    const { port } = services[workload];
    return port === null ? [] : [port];
  }
  if (workload === "ib-gateway") return [ibApiPort(true, standIn), ibApiPort(false, standIn)];
  const ports = partPorts[workload];
  if (ports === undefined) throw new Error(`${workload}: say in components/ports.ts which ports it listens on`);
  return ports;
}
