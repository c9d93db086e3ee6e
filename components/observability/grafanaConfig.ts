import { stringify } from "yaml";
import type { FileTree } from "../runtime/files.ts";
import { nameIn } from "../segments.ts";
import { JAEGER_PATH } from "./telemetry/jaegerConfig.ts";

/** The data source of the metrics. Panels name it by the chosen environment. */
export const PROMETHEUS_UID = "prometheus";
export const LOKI_UID = "loki";
export const JAEGER_UID = "jaeger";

/** Path of the dashboards in the container. */
export const DASHBOARDS = "/etc/grafana/dashboards";
/** The dashboard that opens after a login. */
const HOME = "trading-operations";

/** Settings of every data source: Grafana's server queries it, and it cannot be changed in the pages. */
const dataSource = { access: "proxy", editable: false } as const;

/** The data sources, each with its links to the others: from an exemplar or a line to its trace, and from a span to its lines. */
const dataSources = (environment: string) => [
  {
    ...dataSource,
    name: environment,
    uid: PROMETHEUS_UID,
    type: "prometheus",
    url: "http://prometheus:9090/prometheus",
    isDefault: true,
    jsonData: {
      timeInterval: "15s",
      exemplarTraceIdDestinations: [{ name: "trace_id", datasourceUid: JAEGER_UID, urlDisplayLabel: "Trace" }],
    },
  },
  {
    ...dataSource,
    name: "Loki",
    uid: LOKI_UID,
    type: "loki",
    url: "http://loki:3100",
    jsonData: {
      maxLines: 1000,
      derivedFields: [
        {
          name: "Trace",
          matcherRegex: '"trace_id":"(\\w+)"',
          // Two dollars: one alone would be read as a variable of the environment.
          url: "$${__value.raw}",
          urlDisplayLabel: "Trace",
          datasourceUid: JAEGER_UID,
        },
      ],
    },
  },
  {
    ...dataSource,
    name: "Jaeger",
    uid: JAEGER_UID,
    type: "jaeger",
    url: `http://jaeger:16686${JAEGER_PATH}`,
    jsonData: {
      tracesToLogsV2: {
        datasourceUid: LOKI_UID,
        spanStartTimeShift: "-5m",
        spanEndTimeShift: "5m",
        tags: [{ key: "service.name", value: "service_name" }],
        customQuery: true,
        query: '{$${__tags}} | trace_id="$${__span.traceId}"',
      },
      tracesToMetrics: {
        datasourceUid: PROMETHEUS_UID,
        tags: [{ key: "service.name", value: "service_name" }],
        queries: [
          { name: "Calls a second", query: "sum(rate(traces_span_metrics_calls_total{$$__tags}[5m]))" },
          {
            name: "Duration, 95 %",
            query:
              "histogram_quantile(0.95, sum by (le) (rate(traces_span_metrics_duration_seconds_bucket{$$__tags}[5m])))",
          },
        ],
      },
      nodeGraph: { enabled: true },
    },
  },
];

/**
 * grafana.ini: no anonymous access, no sign-up, no calls to its vendor, no code or identity provider that an administrator could add,
 * and the secrets from their files.
 */
export function grafanaIni(rootUrl: string): string {
  const sections: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    server: {
      http_addr: nameIn("grafana", "grafana"),
      http_port: "3000",
      root_url: `${rootUrl}/grafana/`,
      serve_from_sub_path: "true",
    },
    paths: {
      data: "/var/lib/grafana",
      logs: "/tmp",
      plugins: "/var/lib/grafana/plugins",
      provisioning: "/etc/grafana/provisioning",
    },
    security: {
      admin_user: "admin",
      admin_password: "$__file{/run/secrets/grafana-admin}",
      secret_key: "$__file{/run/secrets/grafana-secret}",
      cookie_secure: "true",
      // It locks a user regardless of the client: an outsider could lock the administrator out. The edge limits each client instead.
      disable_brute_force_login_protection: "true",
      disable_gravatar: "true",
      // Code of former plugins, which newer versions have removed.
      angular_support_enabled: "false",
    },
    users: { allow_sign_up: "false", allow_org_create: "false" },
    dashboards: { default_home_dashboard_path: `${DASHBOARDS}/${HOME}.json` },
    // Its version is for those who have logged in.
    "auth.anonymous": { enabled: "false", hide_version: "true" },
    // Pages that answer without a login.
    snapshots: { enabled: "false", external_enabled: "false" },
    public_dashboards: { enabled: "false" },
    sso_settings: { configurable_providers: "" },
    analytics: { reporting_enabled: "false", check_for_updates: "false", check_for_plugin_updates: "false" },
    news: { news_feed_enabled: "false" },
    // What runs is what the image's digest names.
    plugins: { preinstall_auto_update: "false", plugin_admin_enabled: "false" },
    log: { mode: "console" },
    "log.console": { format: "json" },
    metrics: { enabled: "true" },
  };
  return Object.entries(sections)
    .map(([section, values]) =>
      [`[${section}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${value}`), ""].join("\n"),
    )
    .join("\n");
}

/** The data sources as `uid=name`. */
export function dataSourceNames(environment: string): string[] {
  return dataSources(environment).map(({ uid, name }) => `${uid}=${name}`);
}

/**
 * Provisioning: the data sources and the folder of dashboards, both read-only in Grafana's pages.
 * `environment` is the name that the dashboards' choice shows.
 */
export function grafanaProvisioning(environment: string): FileTree {
  const provisioned = {
    apiVersion: 1,
    datasources: dataSources(environment),
  };
  return {
    "datasources/autollm.yaml": stringify(provisioned, { lineWidth: 0 }),
    "dashboards/autollm.yaml": stringify({
      apiVersion: 1,
      providers: [
        {
          name: "AutoLLM Trader",
          folder: "AutoLLM Trader",
          type: "file",
          allowUiUpdates: false,
          disableDeletion: true,
          options: { path: DASHBOARDS },
        },
      ],
    }),
  };
}
