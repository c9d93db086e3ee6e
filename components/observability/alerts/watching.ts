import { type AlertGroup, JOB } from "./alert.ts";
import { CALENDAR_DAYS_LEFT } from "./market.ts";
import { SERVICE_JOBS, serviceJobs } from "./services.ts";

const MIN_CALENDAR_DAYS = 60;
const SILENCES = "alertmanager_silences{state='active'}";

/**
 * Alerts on the monitoring itself.
 * @param jobs every scrape job; the services' own have ServiceDown
 */
export function watchingAlerts(jobs: readonly string[]): readonly AlertGroup[] {
  const others = jobs.filter((job) => !serviceJobs.includes(job));
  return [
    {
      name: "watching",
      alerts: [
        {
          name: "DeadMansSwitch",
          expr: "vector(1)",
          for: "0s",
          severity: "none",
          service: "prometheus",
          subject: "sign-of-life",
          summary: "Alerts are evaluated and delivered",
          // It is in each heartbeat, since a silence can hide the alert on silences, but not this one unnoticed.
          description: `This alert always fires. Its receiver raises the alarm if it stays away. Active silences: {{ with query "sum(${SILENCES})" }}{{ . | first | value }}{{ else }}unknown{{ end }}.`,
        },
        {
          name: "SilenceActive",
          expr: `sum(${SILENCES}) > 0`,
          for: "0s",
          severity: "none",
          service: "alertmanager",
          subject: "silences",
          summary: "{{ $value }} silences hide alerts",
          description: "A silence makes Alertmanager hold back alerts; check that it is intended.",
        },
        {
          name: "TargetDown",
          expr: `up{${SERVICE_JOBS.replace("=~", "!~")}} == 0`,
          for: "3m",
          severity: "warning",
          service: JOB,
          subject: "scrape",
          summary: "{{ $labels.job }} cannot be scraped",
          description: "A component, or its exporter, is down.",
        },
        ...(others.length === 0
          ? []
          : [
              {
                name: "TargetMissing",
                expr: others.map((job) => `absent(up{job="${job}"})`).join(" or "),
                for: "5m",
                severity: "warning",
                service: JOB,
                subject: "scrape",
                summary: "{{ $labels.job }} is not scraped",
                description: "Prometheus's configuration lacks a target that the stack declares.",
              } as const,
            ]),
        {
          name: "RuleFailing",
          expr: "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
          for: "5m",
          severity: "critical",
          service: "prometheus",
          subject: "rules",
          summary: "Rules of {{ $labels.rule_group }} cannot be evaluated",
          description: "Alerts of this group may not fire.",
        },
        {
          name: "ConfigReloadFailed",
          expr: "prometheus_config_last_reload_successful == 0 or alertmanager_config_last_reload_successful == 0 or caddy_config_last_reload_successful == 0",
          for: "5m",
          severity: "warning",
          service: JOB,
          subject: "config",
          summary: "{{ $labels.job }} runs on an old configuration",
          description: "It refused the new one.",
        },
        {
          name: "AlertmanagerUnreachable",
          // One alert may be lost while a deploy replaces either side.
          expr: "prometheus_notifications_alertmanagers_discovered < 1 or increase(prometheus_notifications_dropped_total[2m]) > 0",
          for: "5m",
          severity: "critical",
          service: "alertmanager",
          subject: "delivery",
          summary: "Prometheus cannot deliver its alerts",
          description:
            "Alerts fire but nobody is notified; this one shows in Prometheus, and by the missing dead man's switch.",
        },
        {
          name: "NotificationsFailing",
          expr: "sum by (integration) (increase(alertmanager_notifications_failed_total[10m])) > 0",
          for: "5m",
          severity: "warning",
          service: "alertmanager",
          subject: "delivery",
          summary: "Alerts do not reach {{ $labels.integration }}",
          description: "Its address or key is wrong, or it is down. The other receivers get the alerts.",
        },
        {
          name: "PrometheusStorageFailing",
          expr: "increase(prometheus_tsdb_compactions_failed_total[3h]) > 0 or increase(prometheus_tsdb_wal_corruptions_total[3h]) > 0",
          for: "5m",
          severity: "warning",
          service: "prometheus",
          subject: "storage",
          summary: "Prometheus cannot write its data",
          description: "Its volume is full or damaged.",
        },
        {
          name: "MarketCalendarEnding",
          expr: `${CALENDAR_DAYS_LEFT} < ${MIN_CALENDAR_DAYS}`,
          for: "1h",
          severity: "warning",
          service: "prometheus",
          subject: "calendar",
          summary: "The market's calendar ends in {{ $value }} days",
          description: "After its end the market counts as closed, and NoOrdersProcessed cannot fire.",
        },
      ],
    },
  ];
}
