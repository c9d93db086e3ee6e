import type { MarketCalendar } from "../../../components/observability/alerts/market.ts";
import { serviceJobs } from "../../../components/observability/alerts/services.ts";

/** Series by their selector, in promtool's notation, and the moment that is looked at. */
export interface Case {
  readonly series: Readonly<Record<string, string>>;
  /** Default 10m. */
  readonly at?: string;
  /** Between two samples, and two evaluations. Default 15s. */
  readonly every?: string;
}

export interface AlertCase {
  readonly alert: string;
  /** The label `service` of what fires. */
  readonly service: string;
  readonly fires: readonly Case[];
  readonly quiet: readonly Case[];
}

/** promtool's clock begins in 1970, on a Thursday: a market that is open in that day's first hour, and closed on the next day. */
export const testCalendar: MarketCalendar = {
  from: "1970-01-01",
  to: "1970-12-31",
  openMinute: 0,
  closeMinute: 60,
  earlyCloseMinute: 30,
  holidays: ["1970-01-02"],
  earlyCloses: [],
  summerTimes: [],
};

/** The same value at every sample. */
export const constant = (value: number, samples = 2000) => `${value}x${samples}`;
/** A counter that grows by a step at each sample. */
export const rising = (step: number, samples = 2000) => `0+${step}x${samples}`;
/** A service's `up`, for all of them. */
export const allUp = (but?: string) =>
  Object.fromEntries(serviceJobs.filter((job) => job !== but).map((job) => [`up{job="${job}"}`, constant(1)]));
/** A latency whose every event falls into one bucket. */
export const latency = (metric: string, labels: string, below: number): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    [0.1, 0.5, 1, 2.5, 10].map((le) => [
      `${metric}_bucket{${labels},le="${le}"}`,
      le >= below ? rising(1) : constant(0),
    ]),
  ),
  [`${metric}_bucket{${labels},le="+Inf"}`]: rising(1),
  [`${metric}_count{${labels}}`]: rising(1),
});
/** One series of one value. */
export const one = (series: string, value: number, at?: string, every?: string): Case => ({
  series: { [series]: constant(value) },
  ...(at === undefined ? {} : { at }),
  ...(every === undefined ? {} : { every }),
});
/** Where the only question is on which side of its limit a gauge lies. */
export const gauge = (alert: string, service: string, series: string, bad: number, good: number): AlertCase =>
  either(alert, service, [series], bad, good);
/** As `gauge`, for several series of which each alone is enough. */
export const either = (
  alert: string,
  service: string,
  series: readonly string[],
  bad: number,
  good: number,
): AlertCase => ({
  alert,
  service,
  fires: series.map((each) => one(each, bad)),
  quiet: series.map((each) => one(each, good)),
});
/** As `gauge`, for two series whose relation is the question. */
export const pair = (
  alert: string,
  service: string,
  [a, b]: [string, string],
  bad: [number, number],
  good: [number, number][],
): AlertCase => ({
  alert,
  service,
  fires: [{ series: { [a]: constant(bad[0]), [b]: constant(bad[1]) } }],
  quiet: good.map(([x, y]) => ({ series: { [a]: constant(x), [b]: constant(y) } })),
});

export const ib = 'job="execution-ib",instance="execution-ib:8071"';
export const risk = 'job="risk-manager",instance="risk-manager:8070"';
export const api = 'job="gateway-api",instance="gateway-api:8000",method="GET"';
export const node = 'job="node-exporter",instance="node-exporter:9100"';
export const disk = `${node},device="/dev/vda",fstype="ext4",mountpoint="/"`;
export const requests = (status: string, path = "/api/orders") =>
  `http_requests_total{${api},path="${path}",status="${status}"}`;
