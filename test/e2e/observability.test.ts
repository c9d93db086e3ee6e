import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { METRIC_PRESENT } from "../../components/observability/alerts/needed.ts";
import { dashboards } from "../../components/observability/dashboards/dashboards.ts";
import { dashboardJson } from "../../components/observability/dashboards/render.ts";
import { type PanelTarget, panelQuery } from "../../tools/lib/panelQuery.ts";
import { eventually, https, login } from "./lib/http.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";
import { telemetryTests } from "./lib/telemetry.ts";
import { token } from "./lib/trading.ts";

interface StoredAlert {
  readonly name: string;
  readonly status: string;
  readonly severity: string;
}
interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
}
interface Frame {
  readonly data: { readonly values: readonly (readonly unknown[])[] };
}

/** Longest time from a cause to the webhook: the alert's own, two scrapes, an evaluation and the grouping, with room for a slow machine. */
const SLACK_SECONDS = 90;
/** Enough of both that the failures are most of the orders. */
const FAILING_ORDERS = 15;

describe("watching", () => {
  let stack: TestStack;
  let admin: Record<string, string>;
  let grafana: Record<string, string>;

  beforeAll(async () => {
    stack = await testStack("watch");
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    admin = login("admin", await stack.output("adminPassword"));
    grafana = login("admin", await stack.output("grafanaPassword"));
  });
  afterAll(async () => {
    await stack.remove();
  });

  const prometheus = async <T>(path: string): Promise<T> => {
    const { body } = await https(`${stack.url}/prometheus/api/v1/${path}`, { headers: admin });
    return (JSON.parse(body) as { data: T }).data;
  };
  const ask = async (workload: string, url: string): Promise<string> =>
    docker("exec", await stack.container(workload), "wget", "-q", "-O", "-", url);
  /** What Alertmanager's webhook brought to the reporter. */
  const stored = async (): Promise<readonly StoredAlert[]> =>
    (JSON.parse(await ask("reporter", "http://127.0.0.1:8074/alerts")) as { alerts: StoredAlert[] }).alerts;

  async function news(simulate: Readonly<Record<string, unknown>>): Promise<void> {
    const secret = await docker("exec", await stack.container("gateway-api"), "cat", "/run/secrets/env/JWT_SECRET");
    const answer = await https(`${stack.url}/api/news`, {
      method: "POST",
      headers: { authorization: `Bearer ${token(secret, "admin")}` },
      body: { headline: "Bitcoin rallies on record inflows", symbol: "BTC-USD", simulate },
    });
    expect(answer.status, answer.body).toBe(202);
  }

  test("every target is scraped, and every rule is evaluated without a fault", async () => {
    await eventually("every target up", 90, async () => {
      const { activeTargets } = await prometheus<{ activeTargets: { health: string }[] }>("targets");
      return activeTargets.every(({ health }) => health === "up") ? true : undefined;
    });
    const { groups } = await prometheus<{ groups: { rules: { name: string; health: string }[] }[] }>("rules");
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(80);
    expect(rules.filter(({ health }) => health === "err")).toEqual([]);
  });

  test("the heartbeat reaches the reporter", async () => {
    await eventually("the dead man's switch", 120, async () =>
      (await stored()).some(({ name }) => name === "DeadMansSwitch") ? true : undefined,
    );
  });

  test("a silence is told to the reporter and to the heartbeat's receiver, and counted with each heartbeat", async () => {
    const silences = `${stack.url}/alertmanager/api/v2/silence`;
    const made = await https(`${silences}s`, {
      method: "POST",
      headers: admin,
      body: {
        matchers: [{ name: "alertname", value: "NothingOfThisName", isRegex: false, isEqual: true }],
        startsAt: new Date(),
        endsAt: new Date(Date.now() + 3_600_000),
        createdBy: "e2e",
        comment: "for a test",
      },
    });
    expect(made.status, made.body).toBe(200);
    await eventually("the alert on silences", SLACK_SECONDS, async () =>
      (await stored()).some(({ name, status }) => name === "SilenceActive" && status === "firing") ? true : undefined,
    );
    const { alerts } = await prometheus<{
      alerts: { labels: { alertname: string }; annotations: { description: string } }[];
    }>("alerts");
    const sign = alerts.find(({ labels }) => labels.alertname === "DeadMansSwitch");
    expect(sign?.annotations.description).toContain("Active silences: 1.");
    const { silenceID } = JSON.parse(made.body) as { silenceID: string };
    expect((await https(`${silences}/${silenceID}`, { method: "DELETE", headers: admin })).status).toBe(200);
  });

  describe.each(dashboards)("dashboard $title", (dashboard) => {
    const { panels } = JSON.parse(dashboardJson(dashboard)) as {
      panels: { title: string; targets: PanelTarget[] }[];
    };
    test.each(panels)("$title: each query returns data, asked as Grafana asks", async ({ targets }) => {
      const queries = targets.map((target) => panelQuery(target, 15_000, 200));
      // A rate needs two samples, and an order has to come along.
      await eventually(`data of ${targets.map(({ expr }) => expr).join("; ")}`, 150, async () => {
        const { body } = await https(`${stack.url}/grafana/api/ds/query`, {
          method: "POST",
          headers: grafana,
          body: { queries, from: "now-10m", to: "now" },
        });
        const { results } = JSON.parse(body) as { results: Readonly<Record<string, { frames?: Frame[] }>> };
        const filled = targets.filter(({ refId }) =>
          (results[refId]?.frames ?? []).some(({ data }) => (data.values[1] ?? []).length > 0),
        );
        return filled.length === targets.length ? true : undefined;
      });
    });
  });

  test("each metric that an alert needs is there, once its service is up", async () => {
    type Series = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };
    await eventually("no metric that is missing", 150, async () => {
      const { result } = await prometheus<{ result: readonly Series[] }>(`query?query=${METRIC_PRESENT}`);
      const missing = result
        .filter(({ value }) => value[1] === "0")
        .map(({ metric }) => `${metric.job} ${metric.metric}`);
      if (result.length > 80 && missing.length === 0) return true;
      console.info(`${result.length} metrics are looked for; missing: ${missing.join(", ")}`);
      return undefined;
    });
  });

  describe("traces and logs", () => telemetryTests({ stack: () => stack, grafana: () => grafana }));

  test("five causes come to the reporter as alerts, and a warning beside its critical alert is held back", async () => {
    const start = Date.now();
    const times: Record<string, number> = {};
    const arrives = async (alert: string, held: number) => {
      await eventually(alert, held + SLACK_SECONDS, async () =>
        (await stored()).some(({ name, status }) => name === alert && status === "firing") ? true : undefined,
      );
      times[alert] = Math.round((Date.now() - start) / 1000);
    };
    await docker("stop", await stack.container("news-ingestor"));
    await docker("stop", await stack.container("blackbox-exporter"));
    for (let order = 0; order < FAILING_ORDERS; order++) await news({ fail: true });
    await Promise.all([arrives("ServiceDown", 60), arrives("HighOrderFailureRate", 120), arrives("TargetDown", 180)]);
    // From here on the risk manager refuses every order, and without Redis it decides nothing.
    await news({ breach: "daily_loss" });
    await arrives("DailyLossLimitBreached", (Date.now() - start) / 1000);
    const active = await eventually("the warning", 60, async () => {
      const url = "http://127.0.0.1:9093/alertmanager/api/v2/alerts";
      const alerts = JSON.parse(await ask("alertmanager", url)) as ActiveAlert[];
      return alerts.find(({ labels }) => labels.alertname === "DailyLossLimitApproaching");
    });
    expect(active.status).toMatchObject({ state: "suppressed", inhibitedBy: [expect.any(String)] });
    expect((await stored()).map(({ name }) => name)).not.toContain("DailyLossLimitApproaching");
    const redis = await stack.container("redis");
    const paused = Date.now();
    await docker("pause", redis);
    try {
      await arrives("RedisDown", 60);
    } finally {
      await docker("unpause", redis);
    }
    times.RedisDown = Math.round((Date.now() - paused) / 1000);
    console.info("seconds from the first cause to the reporter", times);
  }, 900_000);
});
