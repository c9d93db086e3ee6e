import { executors, serviceNames, services } from "../../platform/catalogue.ts";
import { KILL_SWITCH_METRIC } from "../../platform/killSwitch.ts";
import { isDurable } from "../../platform/streams.ts";
import { APPROVED_ORDERS } from "../../platform/subjects.ts";
import { type AlertGroup, JOB, type Recording } from "./alert.ts";

const MAX_MEMORY_SHARE = 0.9;
const MAX_ERROR_SHARE = 0.05;
const MAX_LATENCY_P95_SECONDS = 1;
const MAX_BACKLOG = 10;
const MIB = 1024 * 1024;

/** The scrape jobs of the services: each is named after its service. */
export const serviceJobs: readonly string[] = serviceNames.filter((name) => services[name].port !== null);

/** Matches the series of every service, and of nothing else. */
export const SERVICE_JOBS = `job=~"${serviceJobs.join("|")}"`;

/**
 * Subjects of the order's path whose readers each handle every message: what was published and not handled waits in the stream.
 * The executors share the approved orders by venue.
 */
export const queuedSubjects: readonly string[] = [
  ...new Set(serviceNames.flatMap((name) => services[name].publishes as readonly string[])),
].filter(
  (subject) =>
    isDurable(subject) &&
    subject !== APPROVED_ORDERS &&
    serviceNames.some((name) => (services[name].subscribes as readonly string[]).includes(subject)),
);

/** The containers' memory limits, from the catalogue, so that no exporter needs access to the Docker daemon for them. */
export const memoryLimits: readonly Recording[] = serviceNames
  .filter((name) => services[name].port !== null)
  .map((name) => ({
    record: "service:memory_limit_bytes",
    expr: `vector(${services[name].resources.memory * MIB})`,
    labels: { job: name },
  }));

/** True while the platform's kill switch is on, for a series without labels. */
const stopped = `on () (max(${KILL_SWITCH_METRIC}) == 1)`;
const isExecutorJob = (job: string) => executors.some((name) => name === job);

const apiPaths = 'path!~"/health|/metrics"';
const messages = (status: string, by: string) =>
  `sum by (${by}) (increase(nats_messages_total{subject=~"${queuedSubjects.join("|")}",status=~"${status}"}[10m]))`;

/** The services as processes: whether they run, answer, and keep running. */
export const serviceAlerts: readonly AlertGroup[] = [
  {
    name: "services",
    alerts: [
      {
        name: "ServiceDown",
        // A target that does not exist has no `up`, so it must be looked for by name.
        // An executor that the kill switch stopped is no fault: OrdersStopped reports it.
        expr: [
          `up{${SERVICE_JOBS},job!~"${executors.join("|")}"} == 0`,
          `(up{job=~"${executors.join("|")}"} == 0 unless ${stopped})`,
          ...serviceJobs.map((job) =>
            isExecutorJob(job) ? `(absent(up{job="${job}"}) unless ${stopped})` : `absent(up{job="${job}"})`,
          ),
        ].join(" or "),
        for: "1m",
        severity: "critical",
        service: JOB,
        summary: "{{ $labels.job }} is down",
        description: "Its metrics could not be read for a minute.",
      },
      {
        name: "ServiceMemoryHigh",
        expr: `max by (job) (process_resident_memory_bytes{${SERVICE_JOBS}}) / on (job) max by (job) (service:memory_limit_bytes) > ${MAX_MEMORY_SHARE}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "memory",
        summary: "{{ $labels.job }} uses {{ $value | humanizePercentage }} of its memory limit",
        description: "At the limit the kernel kills it.",
      },
      {
        name: "ServiceErrorsHigh",
        expr: `sum by (job) (rate(http_requests_total{${apiPaths},status=~"5.."}[5m])) / sum by (job) (rate(http_requests_total{${apiPaths}}[5m])) > ${MAX_ERROR_SHARE}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "errors",
        summary: "{{ $labels.job }}: {{ $value | humanizePercentage }} of requests fail",
        description: "Answers with a status of 500 or above.",
      },
      {
        name: "ServiceLatencyHigh",
        expr: `histogram_quantile(0.95, sum by (le, job) (rate(http_request_duration_seconds_bucket{${apiPaths}}[5m]))) > ${MAX_LATENCY_P95_SECONDS}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "latency",
        summary: "{{ $labels.job }}: one request in 20 takes longer than {{ $value | humanizeDuration }}",
        description: "The 95th percentile of the answer time, health checks and scrapes left out.",
      },
      {
        name: "DependencyUnreachable",
        expr: "min by (job, dependency) (dependency_up) == 0",
        for: "2m",
        severity: "warning",
        service: JOB,
        subject: "dependency",
        summary: "{{ $labels.job }} cannot reach {{ $labels.dependency }}",
        description: "The service runs, but this dependency does not answer it.",
      },
      {
        name: "OrderQueueGrowing",
        // A reader without this metric may read all the same; MetricMissing or MetricNeverSeen reports that.
        expr: `${messages("published", "subject")} - on (subject) group_right () ${messages("received|invalid", "subject, job")} > ${MAX_BACKLOG}`,
        for: "5m",
        severity: "warning",
        service: "nats",
        subject: "queue",
        summary:
          "{{ $labels.subject }}: {{ $value | humanize }} messages of the last 10 minutes wait for {{ $labels.job }}",
        description: "More is published than this reader handles.",
      },
      {
        name: "RateLimiterDegraded",
        expr: "max by (job) (rate_limiter_local) == 1",
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "rate-limit",
        summary: "{{ $labels.job }} limits requests without Redis, which is unreachable",
        description: "Each replica counts alone, so a client gets more than its limit.",
      },
    ],
  },
];
