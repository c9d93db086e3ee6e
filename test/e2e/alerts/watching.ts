import { type AlertCase, constant, gauge, one, rising } from "./cases.ts";

export const watchingCases: readonly AlertCase[] = [
  { alert: "DeadMansSwitch", service: "prometheus", fires: [{ series: {} }], quiet: [] },
  {
    alert: "TargetDown",
    service: "grafana",
    fires: [one('up{job="grafana"}', 0)],
    quiet: [one('up{job="grafana"}', 1), one('up{job="reporter"}', 0)],
  },
  {
    alert: "TargetMissing",
    service: "grafana",
    fires: [one('up{job="prometheus"}', 1)],
    quiet: [{ series: { 'up{job="prometheus"}': constant(0), 'up{job="grafana"}': constant(0) } }],
  },
  {
    alert: "RuleFailing",
    service: "prometheus",
    fires: [{ series: { 'prometheus_rule_evaluation_failures_total{rule_group="risk"}': rising(1) }, at: "15m" }],
    quiet: [one('prometheus_rule_evaluation_failures_total{rule_group="risk"}', 3, "15m")],
  },
  gauge("ConfigReloadFailed", "alertmanager", 'alertmanager_config_last_reload_successful{job="alertmanager"}', 0, 1),
  gauge(
    "AlertmanagerUnreachable",
    "alertmanager",
    'prometheus_notifications_alertmanagers_discovered{job="prometheus"}',
    0,
    1,
  ),
  {
    alert: "NotificationsFailing",
    service: "alertmanager",
    fires: [{ series: { 'alertmanager_notifications_failed_total{integration="slack"}': rising(1) }, at: "15m" }],
    quiet: [one('alertmanager_notifications_failed_total{integration="slack"}', 2, "15m")],
  },
  {
    alert: "PrometheusStorageFailing",
    service: "prometheus",
    fires: [{ series: { prometheus_tsdb_compactions_failed_total: rising(1) }, at: "15m" }],
    quiet: [one("prometheus_tsdb_compactions_failed_total", 2, "15m")],
  },
  {
    alert: "MarketCalendarEnding",
    service: "prometheus",
    fires: [{ series: {}, at: "310d", every: "12h" }],
    quiet: [{ series: {}, at: "3h", every: "5m" }],
  },
];
