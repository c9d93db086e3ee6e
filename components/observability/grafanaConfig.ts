import { stringify } from "yaml";
import type { FileTree } from "../runtime/files.ts";

/** The data source that every panel names. */
export const PROMETHEUS_UID = "prometheus";

/** grafana.ini: no anonymous access, no sign-up, no calls to its vendor, and the password from its file. */
export function grafanaIni(rootUrl: string): string {
  const sections: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    server: { http_port: "3000", root_url: `${rootUrl}/grafana/`, serve_from_sub_path: "true" },
    paths: {
      data: "/var/lib/grafana",
      logs: "/tmp",
      plugins: "/var/lib/grafana/plugins",
      provisioning: "/etc/grafana/provisioning",
    },
    security: {
      admin_user: "admin",
      admin_password: "$__file{/run/secrets/grafana-admin}",
      cookie_secure: "true",
      disable_gravatar: "true",
    },
    users: { allow_sign_up: "false" },
    "auth.anonymous": { enabled: "false" },
    analytics: { reporting_enabled: "false", check_for_updates: "false", check_for_plugin_updates: "false" },
    news: { news_feed_enabled: "false" },
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

/** Provisioning: the data source and the folder of dashboards, both read-only in Grafana's pages. */
export function grafanaProvisioning(): FileTree {
  return {
    "datasources/prometheus.yaml": stringify({
      apiVersion: 1,
      datasources: [
        {
          name: "Prometheus",
          uid: PROMETHEUS_UID,
          type: "prometheus",
          access: "proxy",
          url: "http://prometheus:9090/prometheus",
          isDefault: true,
          editable: false,
          jsonData: { timeInterval: "15s" },
        },
      ],
    }),
    "dashboards/autollm.yaml": stringify({
      apiVersion: 1,
      providers: [
        {
          name: "AutoLLM Trader",
          folder: "AutoLLM Trader",
          type: "file",
          allowUiUpdates: false,
          disableDeletion: true,
          options: { path: "/etc/grafana/dashboards" },
        },
      ],
    }),
  };
}
