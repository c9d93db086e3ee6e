import { describe, expect, test } from "vitest";
import { metricsOf } from "../../../components/observability/alerts/promql.ts";
import { dashboards } from "../../../components/observability/dashboards/dashboards.ts";
import { annotations, dashboardJson } from "../../../components/observability/dashboards/render.ts";
import { knownMetrics } from "./promql.ts";

/** The five dashboards of docs/requirements.md, and a word of each panel's title. */
const promised: Readonly<Record<string, readonly string[]>> = {
  "trading-operations": [
    "Orders per minute",
    "Order fill rate",
    "Realised P&L, 24 h",
    "Order latency",
    "Open positions",
  ],
  "risk-monitoring": [
    "Value at risk, 95 %",
    "Concentration by symbol",
    "Leverage",
    "Limit breaches, 24 h",
    "Daily P&L",
  ],
  "system-health": [
    "CPU",
    "Memory",
    "Disk",
    "Network",
    "Container restarts, 1 h",
    "Request latency, p95",
    "Request errors",
    "Targets up",
  ],
  "llm-performance": [
    "Intents by symbol and side",
    "Model latency",
    "Tokens",
    "Cost",
    "Errors",
    "Intent-to-approval ratio",
  ],
  "market-data": ["Prices", "Volumes", "Spreads", "Feed lag", "Messages per subject"],
};

interface Json {
  readonly uid: string;
  readonly panels: readonly {
    readonly title: string;
    readonly datasource: unknown;
    readonly gridPos: { x: number; y: number; w: number; h: number };
    readonly targets: readonly { refId: string; expr: string; datasource: unknown; exemplar?: boolean }[];
  }[];
  readonly templating: { readonly list: readonly { name: string; type: string; datasource?: unknown }[] };
  readonly annotations: { readonly list: readonly { datasource: unknown }[] };
}

test("there are the platform's five, by uids that links may name", () => {
  expect(dashboards.map(({ uid }) => uid).sort()).toEqual(Object.keys(promised).sort());
});

test("the marks of deploys, rotations and restarts read only metrics that somebody exposes", async () => {
  const known = await knownMetrics();
  expect(annotations.map(({ name }) => name)).toEqual(["Deploys", "Rotations", "Restarts"]);
  expect(annotations.flatMap(({ expr }) => metricsOf(expr)).filter((metric) => !known.has(metric))).toEqual([]);
});

describe.each(dashboards)("$title", (dashboard) => {
  const { uid, panels, variables = [] } = dashboard;
  const json = JSON.parse(dashboardJson(dashboard)) as Json;

  test("has the platform's panels", () => {
    expect(panels.map(({ title }) => title)).toEqual(expect.arrayContaining([...(promised[uid] ?? [])]));
  });

  test("says of each panel what it shows and in what unit, under a title of its own", () => {
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { description, unit, queries } of panels) {
      expect(description).toMatch(/[.]$/);
      expect(unit).not.toBe("");
      expect(Object.keys(queries)).not.toHaveLength(0);
    }
  });

  test("reads only metrics that somebody exposes", async () => {
    const known = await knownMetrics();
    const read = panels.flatMap(({ queries }) => Object.values(queries).flatMap(metricsOf));
    expect([...new Set(read)].filter((metric) => !known.has(metric))).toEqual([]);
  });

  test("uses the variables that it has, and has those that it uses", () => {
    const text = panels.flatMap(({ queries }) => Object.values(queries)).join("\n");
    const used = new Set([...text.matchAll(/\$(\w+)/g)].map(([, name]) => name));
    expect([...used].sort()).toEqual(variables.map(({ name }) => name).sort());
    expect(json.templating.list.map(({ name }) => name)).toEqual(["environment", ...variables.map(({ name }) => name)]);
  });

  test("asks the chosen environment for everything", () => {
    const [environment, ...others] = json.templating.list;
    expect(environment).toMatchObject({ type: "datasource", query: "prometheus" });
    const asked = [
      ...json.panels,
      ...json.panels.flatMap(({ targets }) => targets),
      ...others,
      ...json.annotations.list,
    ];
    for (const { datasource } of asked) expect(datasource).toEqual({ type: "prometheus", uid: `\${environment}` });
  });

  test("shows the traces behind each curve of a histogram", () => {
    const histograms = json.panels.flatMap(({ targets }) => targets).filter(({ expr }) => expr.includes("_bucket"));
    expect(histograms.filter(({ exemplar }) => exemplar !== true)).toEqual([]);
  });

  test("lays its panels out beside each other, none over another", () => {
    const cells = json.panels.flatMap(({ gridPos: { x, y, w } }) =>
      Array.from({ length: w }, (_, column) => `${x + column}:${y}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of json.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  test("gives each query of a panel a letter of its own", () => {
    for (const { targets } of json.panels) expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  });
});
