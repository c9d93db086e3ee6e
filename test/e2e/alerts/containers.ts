import { type AlertCase, type Case, constant, one, rising } from "./cases.ts";

const ID = "a".repeat(64);
const info = (service: string, deploy = "recreate") => ({
  [`container_info{job="node-exporter",container_id="${ID}",service="${service}",deploy="${deploy}"}`]: constant(1),
});
const own = (metric: string) => `${metric}{job="cadvisor",container_id="${ID}"}`;
const memory = (service: string, share: number): Case => ({
  series: {
    ...info(service),
    [own("container_memory_rss")]: constant(share * 512e6),
    [own("container_spec_memory_limit_bytes")]: constant(512e6),
  },
  at: "15m",
});
const starts = (service: string, times: string): Case => ({
  series: { ...info(service), [own("container_start_time_seconds")]: times },
});
/** The figures of the container that a new one replaces. */
const other = (service: string) => ({
  [`container_info{job="node-exporter",container_id="former",service="${service}",deploy="rolling"}`]: constant(1),
  'container_start_time_seconds{job="cadvisor",container_id="former"}': "7x10",
});
/** A container that runs, whatever becomes of the one that is looked at. */
const another = { 'container_last_seen{job="cadvisor",container_id="another"}': rising(15) };
const cadvisor = (up: number) => ({ 'up{job="cadvisor"}': constant(up) });

export const containerCases: readonly AlertCase[] = [
  {
    alert: "ContainerMemoryHigh",
    service: "grafana",
    fires: [memory("grafana", 0.95)],
    // The services have ServiceMemoryHigh.
    quiet: [memory("grafana", 0.5), memory("gateway-api", 0.95)],
  },
  {
    alert: "ContainerRestarting",
    service: "loki",
    fires: [starts("loki", "0x5 1x5 2x5 3x100")],
    quiet: [
      starts("loki", "0x5 1x100"),
      // A new container is no restart, and the old one serves beside it for a while.
      { series: { ...info("loki"), [own("container_start_time_seconds")]: "0x100", ...other("loki") } },
    ],
  },
  {
    alert: "ContainerNotRunning",
    service: "backup",
    fires: [{ series: { ...info("backup"), ...cadvisor(1), ...another }, at: "15m" }],
    quiet: [
      {
        series: { ...info("backup"), ...cadvisor(1), ...another, [own("container_last_seen")]: rising(15) },
        at: "15m",
      },
      // A batch job ends by itself, and while nobody looks nothing is known.
      { series: { ...info("backtest-engine", "on-demand"), ...cadvisor(1), ...another }, at: "15m" },
      { series: { ...info("backup"), ...cadvisor(0) }, at: "15m" },
      // No container is seen at all: the figures are missing, and not all containers.
      { series: { ...info("backup"), ...cadvisor(1) }, at: "15m" },
    ],
  },
  {
    alert: "KilledForMemory",
    service: "host",
    fires: [{ series: { 'node_vmstat_oom_kill{job="node-exporter"}': "0x20 1x100" }, at: "6m" }],
    quiet: [one('node_vmstat_oom_kill{job="node-exporter"}', 3)],
  },
];
