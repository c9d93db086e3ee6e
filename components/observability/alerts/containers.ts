import { CONTAINER_INFO } from "../../runtime/containerNames.ts";
import type { AlertGroup, Recording } from "./alert.ts";
import { serviceJobs } from "./services.ts";

const MAX_MEMORY_SHARE = 0.9;
const MAX_RESTARTS = 2;

/** Gives a container's series the name of its service. */
const named = (expr: string) => `(${expr}) * on (container_id) group_left (service) ${CONTAINER_INFO}`;
const limited = "(container_spec_memory_limit_bytes > 0)";

/** What each container uses, by the service that it belongs to. */
export const containerRecordings: readonly Recording[] = [
  {
    record: "service:container_memory_working_set_bytes:max",
    expr: `max by (service) (${named("container_memory_working_set_bytes")})`,
  },
  {
    record: "service:container_cpu_cores:rate5m",
    expr: `sum by (service) (${named("sum by (container_id) (rate(container_cpu_usage_seconds_total[5m]))")})`,
  },
  {
    // Without the file cache, which the kernel reclaims before it kills a process.
    record: "service:container_memory_limit:ratio",
    expr: `max by (service) (${named(`container_memory_rss / on (container_id) ${limited}`)})`,
  },
];

/** The services have their own alerts, on their own metrics. */
const OTHERS = `service!~"${serviceJobs.join("|")}"`;

/** The containers as the kernel sees them, including those without their own metrics. */
export const containerAlerts: readonly AlertGroup[] = [
  {
    name: "containers",
    alerts: [
      {
        name: "ContainerMemoryHigh",
        expr: `service:container_memory_limit:ratio{${OTHERS}} > ${MAX_MEMORY_SHARE}`,
        for: "10m",
        severity: "warning",
        service: "{{ $labels.service }}",
        subject: "memory",
        summary: "{{ $labels.service }} uses {{ $value | humanizePercentage }} of its memory limit",
        description: "At the limit the kernel kills it. File cache is not counted.",
      },
      {
        name: "ContainerRestarting",
        // A new start is a new control group under the same id.
        expr: `sum by (service) (changes(container_start_time_seconds[15m]) * on (container_id) group_left (service) ${CONTAINER_INFO}) > ${MAX_RESTARTS}`,
        for: "0s",
        severity: "warning",
        service: "{{ $labels.service }}",
        subject: "restarts",
        summary: "{{ $labels.service }} restarted {{ $value }} times in 15 minutes",
        description: "It ends by itself or is killed, and Docker restarts it.",
      },
      {
        name: "ContainerNotRunning",
        // Longer than an `up` takes, which removes some containers first and writes the new names last. If no container is
        // seen, none is known to be missing.
        expr: `(${CONTAINER_INFO}{deploy!="on-demand"} unless on (container_id) container_last_seen) and on () count(container_last_seen) > 0`,
        for: "10m",
        severity: "warning",
        service: "{{ $labels.service }}",
        subject: "container",
        summary: "The container of {{ $labels.service }} does not run",
        description: "It was stopped or removed by hand, so Docker does not restart it.",
      },
      {
        name: "KilledForMemory",
        expr: "increase(node_vmstat_oom_kill[10m]) > 0",
        for: "0s",
        severity: "warning",
        service: "host",
        subject: "memory-kill",
        summary: "The kernel killed {{ $value | humanize }} processes for lack of memory",
        description: "A container reached its limit, or the host has no memory left.",
      },
    ],
  },
];
