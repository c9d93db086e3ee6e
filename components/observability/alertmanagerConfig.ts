import { stringify } from "yaml";

/** The files of the receivers' secrets, for those that the owner supplied. */
export interface AlertmanagerArgs {
  /** File with the URL of Slack's webhook. */
  readonly slackUrlFile?: string;
  /** File with PagerDuty's routing key (Events API v2). */
  readonly pagerdutyKeyFile?: string;
  /** File with the URL of an outside monitor, called at each heartbeat: it raises the alarm if this host is gone. */
  readonly heartbeatUrlFile?: string;
  /** The platform's address, for links; without a slash at its end. */
  readonly url: string;
}

/** Receives every alert: it stores them and sends them by mail or as configured. */
const REPORTER = "http://reporter:8074/alert";

/** Receivers by name; a route names one of them. */
export const receivers = {
  everything: "reporter",
  warning: "warning",
  critical: "critical",
  signOfLife: "sign-of-life",
} as const;

const title = "{{ .CommonLabels.alertname }} ({{ .CommonLabels.service }}): {{ .Status }}";

function slack(urlFile: string) {
  return {
    api_url_file: urlFile,
    send_resolved: true,
    title,
    title_link: "{{ (index .Alerts 0).GeneratorURL }}",
    color:
      '{{ if eq .Status "resolved" }}good{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}',
    text: "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }} ({{ .Annotations.runbook_url }})\n{{ end }}",
  };
}

function pagerduty(keyFile: string, url: string) {
  return {
    routing_key_file: keyFile,
    send_resolved: true,
    client: "AutoLLM Trader",
    client_url: `${url}/grafana/`,
    severity: "critical",
    description: "{{ (index .Alerts 0).Annotations.summary }}",
    details: { runbook: "{{ (index .Alerts 0).Annotations.runbook_url }}", firing: "{{ .Alerts.Firing | len }}" },
  };
}

/** alertmanager.yml: the receivers of each alert, the grouping, and which alerts a graver one silences. */
export function alertmanagerConfig({
  slackUrlFile,
  pagerdutyKeyFile,
  heartbeatUrlFile,
  url,
}: AlertmanagerArgs): string {
  const reporter = { webhook_configs: [{ url: REPORTER, send_resolved: true, max_alerts: 100 }] };
  const heartbeat = heartbeatUrlFile === undefined ? [] : [{ url_file: heartbeatUrlFile, send_resolved: false }];
  const toSlack = slackUrlFile === undefined ? {} : { slack_configs: [slack(slackUrlFile)] };
  const toPagerduty = pagerdutyKeyFile === undefined ? {} : { pagerduty_configs: [pagerduty(pagerdutyKeyFile, url)] };
  return stringify(
    {
      global: { resolve_timeout: "5m" },
      route: {
        receiver: receivers.everything,
        // One message per alert and service, however many series fire it.
        group_by: ["alertname", "service"],
        group_wait: "10s",
        group_interval: "1m",
        repeat_interval: "4h",
        routes: [
          // The heartbeat: a receiver that misses it for longer than this raises the alarm.
          {
            receiver: receivers.signOfLife,
            matchers: ['alertname="DeadMansSwitch"'],
            group_wait: "0s",
            repeat_interval: "5m",
          },
          // Other alerts without a severity concern the monitoring itself, so they go to the same receiver.
          { receiver: receivers.signOfLife, matchers: ['severity="none"'], group_wait: "0s", repeat_interval: "1h" },
          { receiver: receivers.critical, matchers: ['severity="critical"'], group_wait: "5s", repeat_interval: "1h" },
          { receiver: receivers.warning, matchers: ['severity="warning"'] },
        ],
      },
      inhibit_rules: [
        // If a service is down, its other alerts are not worth sending.
        {
          source_matchers: ['alertname=~"ServiceDown|PostgresDown|RedisDown|NatsDown|EdgeDown"'],
          target_matchers: ['severity="warning"'],
          equal: ["service"],
        },
        // A graver alert on the same subject is enough.
        {
          source_matchers: ['severity="critical"'],
          target_matchers: ['severity="warning"'],
          equal: ["service", "subject"],
        },
      ],
      receivers: [
        { name: receivers.everything, ...reporter },
        { name: receivers.warning, ...reporter, ...toSlack },
        { name: receivers.critical, ...reporter, ...toSlack, ...toPagerduty },
        { name: receivers.signOfLife, webhook_configs: [...reporter.webhook_configs, ...heartbeat] },
      ],
    },
    { lineWidth: 0 },
  );
}
