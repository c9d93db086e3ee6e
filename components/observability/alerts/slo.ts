import type { AlertGroup, Recording } from "./alert.ts";

/** A service level objective: the share of events that must be good, over 30 days. */
export interface Slo {
  readonly name: string;
  readonly service: string;
  readonly title: string;
  /** Share of good events, 0 to 1. */
  readonly objective: number;
  /** PromQL of all events' and of the bad events' rate per second, over the window put in for `[window]`. */
  readonly total: (window: string) => string;
  readonly bad: (window: string) => string;
}

const api = 'job="gateway-api",path!~"/health|/metrics"';
// Prometheus 3 writes a bucket's whole number with a point.
const ONE_SECOND = 'le=~"1|1[.]0"';

const apiTotal = (window: string) => `sum(rate(http_requests_total{${api}}[${window}]))`;
const apiTimed = (window: string) => `sum(rate(http_request_duration_seconds_count{${api}}[${window}]))`;
const orders = (window: string) => `sum(rate(order_latency_seconds_count[${window}]))`;

/** The objectives. Each becomes an error ratio by window, its budget, and alerts on the budget's burn rate. */
export const slos: readonly Slo[] = [
  {
    name: "gateway-api-availability",
    service: "gateway-api",
    title: "requests to the API that are not answered with an error of the server",
    objective: 0.999,
    total: apiTotal,
    bad: (window) => `(sum(rate(http_requests_total{${api},status=~"5.."}[${window}])) or 0 * ${apiTotal(window)})`,
  },
  {
    name: "gateway-api-latency",
    service: "gateway-api",
    title: "requests to the API that are answered within 0.5 s",
    objective: 0.99,
    total: apiTimed,
    bad: (window) =>
      `(${apiTimed(window)} - sum(rate(http_request_duration_seconds_bucket{${api},le="0.5"}[${window}])))`,
  },
  {
    name: "order-latency",
    service: "execution",
    title: "orders that are filled within 1 s of their intent",
    objective: 0.95,
    total: orders,
    bad: (window) => `(${orders(window)} - sum(rate(order_latency_seconds_bucket{${ONE_SECOND}}[${window}])))`,
  },
];

/** A pair of windows and how many times faster than allowed the budget burns (Google's SRE Workbook, chapter 5). */
interface Burn {
  readonly long: string;
  readonly short: string;
  readonly factor: number;
}
const fast: readonly Burn[] = [
  { long: "1h", short: "5m", factor: 14.4 },
  { long: "6h", short: "30m", factor: 6 },
];
const slow: readonly Burn[] = [
  { long: "1d", short: "2h", factor: 3 },
  { long: "3d", short: "6h", factor: 1 },
];

/** Every window of the burn rates. */
export const sloWindows: readonly string[] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

const ratio = (window: string) => `slo:error_ratio:rate${window}`;

/** The share of bad events by window, under the label `slo`, and the share that is allowed. */
export const sloRecordings: readonly Recording[] = slos.flatMap((slo) => [
  { record: "slo:error_budget:ratio", expr: `vector(${(1 - slo.objective).toFixed(6)})`, labels: { slo: slo.name } },
  ...sloWindows.map((window) => ({
    record: ratio(window),
    expr: `${slo.bad(window)} / (${slo.total(window)} > 0)`,
    labels: { slo: slo.name, service: slo.service },
  })),
]);

const burning = (burns: readonly Burn[]) =>
  burns
    .map(
      ({ long, short, factor }) =>
        `(${ratio(long)} > on (slo) group_left () (${factor} * slo:error_budget:ratio) and ${ratio(short)} > on (slo) group_left () (${factor} * slo:error_budget:ratio))`,
    )
    .join(" or ");

/** Alerts on a budget that burns too fast: at once, or over days. */
export const sloAlerts: readonly AlertGroup[] = [
  {
    name: "slo",
    alerts: [
      {
        name: "ErrorBudgetBurnsFast",
        expr: burning(fast),
        for: "2m",
        severity: "critical",
        service: "{{ $labels.service }}",
        subject: "{{ $labels.slo }}",
        summary: "{{ $labels.slo }}: {{ $value | humanizePercentage }} of events are bad",
        description: "At this rate the error budget of 30 days is used up within days.",
      },
      {
        name: "ErrorBudgetBurnsSlowly",
        expr: burning(slow),
        for: "1h",
        severity: "warning",
        service: "{{ $labels.service }}",
        subject: "{{ $labels.slo }}",
        summary: "{{ $labels.slo }}: {{ $value | humanizePercentage }} of events are bad",
        description: "The error budget of 30 days will not last.",
      },
    ],
  },
];
