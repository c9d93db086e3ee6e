import { expect, it } from "vitest";
import { parse } from "yaml";
import { dashboards } from "../../../components/observability/dashboards/dashboards.ts";
import { grafanaIni } from "../../../components/observability/grafanaConfig.ts";
import { runPlatform } from "../lib/platform.ts";

/** The keys of an ini file as `section.key`. */
function keysOf(text: string): Readonly<Record<string, string>> {
  let section = "";
  const entries: [string, string][] = [];
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    else entries.push([`${section}/${line.slice(0, line.indexOf(" = "))}`, line.slice(line.indexOf(" = ") + 3)]);
  }
  return Object.fromEntries(entries);
}

it("Grafana lets in nobody unknown, tells its vendor nothing, and reads its password from a file", () => {
  expect(keysOf(grafanaIni("https://trader.example.com"))).toMatchObject({
    "auth.anonymous/enabled": "false",
    "users/allow_sign_up": "false",
    "security/admin_password": "$__file{/run/secrets/grafana-admin}",
    "security/cookie_secure": "true",
    "analytics/reporting_enabled": "false",
    "analytics/check_for_updates": "false",
    "plugins/preinstall_auto_update": "false",
    "server/root_url": "https://trader.example.com/grafana/",
    "server/serve_from_sub_path": "true",
  });
});

it("Grafana is given every dashboard, where its provisioning looks for them, and Prometheus below its path", async () => {
  const platform = await runPlatform();
  const files = platform.files("grafana");
  for (const { uid } of dashboards) expect(files).toHaveProperty([`etc-grafana-dashboards/${uid}.json`]);
  const home = keysOf(files["etc-autollm/grafana.ini"] ?? "")["dashboards/default_home_dashboard_path"] ?? "";
  expect(files).toHaveProperty([home.slice(1).replace("etc/grafana/dashboards/", "etc-grafana-dashboards/")]);
  const sources = parse(files["etc-grafana-provisioning/datasources/autollm.yaml"] ?? "") as {
    datasources: { url: string; editable: boolean }[];
  };
  expect(sources.datasources[0]).toMatchObject({ url: "http://prometheus:9090/prometheus", editable: false });
  expect(platform.container("prometheus").command).toContain("--web.route-prefix=/prometheus");
});
