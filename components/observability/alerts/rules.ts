import { stringify } from "yaml";
import type { Alert, AlertGroup, OptionalPart, Recording } from "./alert.ts";
import { containerAlerts, containerRecordings } from "./containers.ts";
import { dataAlerts } from "./data.ts";
import { fixesAlerts } from "./fixes.ts";
import { hostAlerts } from "./host.ts";
import { type MarketCalendar, marketRecordings, nyse } from "./market.ts";
import { missingMetricAlerts, type NeededMetric, neededMetrics, presenceRecordings } from "./needed.ts";
import { securityAlerts } from "./security.ts";
import { memoryLimits, serviceAlerts } from "./services.ts";
import { sloAlerts, sloRecordings } from "./slo.ts";
import { telemetryAlerts } from "./telemetry.ts";
import { tradingAlerts } from "./trading.ts";
import { watchingAlerts } from "./watching.ts";

export interface RulesArgs {
  /** Every scrape job of the stack. */
  readonly jobs: readonly string[];
  /** The components that run, of those that a stack may lack. */
  readonly parts?: readonly OptionalPart[];
  /** The market's sessions. Default: the New York Stock Exchange's. */
  readonly calendar?: MarketCalendar;
  /** The address of the runbooks, without a slash at its end. */
  readonly runbooks?: string;
}

/** A series that changes slowly needs no evaluation every 15 seconds. */
const SLOW = "1m";

type Alerted = Pick<RulesArgs, "jobs" | "parts">;

/** Every alert of a stack on the metrics of its services and components, by group. */
function readingAlerts({ jobs, parts = [] }: Alerted): readonly AlertGroup[] {
  return [
    ...tradingAlerts,
    ...serviceAlerts,
    ...hostAlerts,
    ...fixesAlerts,
    ...containerAlerts,
    ...dataAlerts,
    ...securityAlerts,
    ...watchingAlerts(jobs),
    ...telemetryAlerts,
    ...sloAlerts,
  ].map(({ name, alerts }) => ({
    name,
    alerts: alerts.filter(({ needs }) => needs === undefined || parts.includes(needs)),
  }));
}

/** Every alert of a stack, by group. */
export const alertGroups = (args: Alerted): readonly AlertGroup[] => [...readingAlerts(args), ...missingMetricAlerts];

/** Every metric that a stack's alerts read, with the jobs that expose it. */
export function metricsNeeded(args: Alerted): readonly NeededMetric[] {
  const recordings = [...marketRecordings(nyse), ...memoryLimits, ...containerRecordings, ...sloRecordings];
  return neededMetrics(
    readingAlerts(args).flatMap(({ alerts }) => alerts),
    recordings,
  );
}

const alertRule = (alert: Alert, runbooks: string) => ({
  alert: alert.name,
  expr: alert.expr,
  ...(alert.for === "0s" ? {} : { for: alert.for }),
  labels: {
    severity: alert.severity,
    service: alert.service,
    ...(alert.subject === undefined ? {} : { subject: alert.subject }),
  },
  annotations: {
    summary: alert.summary,
    description: alert.description,
    runbook_url: `${runbooks}/${alert.name}.md`,
  },
});

const recordingGroup = (name: string, recordings: readonly Recording[], interval?: string) => ({
  name,
  ...(interval === undefined ? {} : { interval }),
  rules: recordings.map(({ record, expr, labels }) => ({ record, expr, ...(labels === undefined ? {} : { labels }) })),
});

/** The recording rules of a stack, by group. */
export function recordingGroups(args: RulesArgs) {
  const { calendar = nyse } = args;
  return [
    recordingGroup("market calendar", marketRecordings(calendar)),
    recordingGroup("memory limits", memoryLimits, SLOW),
    recordingGroup("container figures", containerRecordings),
    recordingGroup("service level objectives", sloRecordings),
    recordingGroup("needed metrics", presenceRecordings(metricsNeeded(args)), SLOW),
  ];
}

/** The rules file. Recordings come first, so that an alert sees the value of its own moment if groups run in order. */
export function rulesYaml(args: RulesArgs): string {
  const { runbooks = "docs/runbooks" } = args;
  return stringify(
    {
      groups: [
        ...recordingGroups(args),
        ...alertGroups(args)
          .filter(({ alerts }) => alerts.length > 0)
          .map(({ name, alerts }) => ({ name, rules: alerts.map((alert) => alertRule(alert, runbooks)) })),
      ],
    },
    { lineWidth: 0 },
  );
}
