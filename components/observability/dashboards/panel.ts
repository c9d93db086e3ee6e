import { CONTAINER_INFO } from "../../runtime/containerNames.ts";
import { PROMETHEUS_UID } from "../grafanaConfig.ts";

type Colour = "green" | "orange" | "red";

/** From this value on, a panel takes this colour. */
export interface Threshold {
  readonly from: number;
  readonly colour: Colour;
}

/** A panel of a dashboard: what it shows, in what unit, by which queries. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  /** Grafana's unit id, such as `percent`, `s` or `reqps`. */
  readonly unit: string;
  readonly kind: "timeseries" | "stat" | "gauge" | "bargauge";
  /** PromQL by legend. */
  readonly queries: Readonly<Record<string, string>>;
  /** Below the first one all is well: green. */
  readonly thresholds?: readonly Threshold[];
  /** What values mean, where a number alone says little: the word to show, and its colour. */
  readonly words?: Readonly<Record<number, readonly [word: string, colour: Colour]>>;
  /** Ends of the scale. */
  readonly min?: number;
  readonly max?: number;
  /** Columns of Grafana's 24. Default 12. */
  readonly width?: 6 | 8 | 12 | 24;
  /** Rows of Grafana's. Default 8. */
  readonly height?: 8 | 16;
}

/** A choice at the top of a dashboard, by which queries name it as `$name`. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  /** PromQL's `label_values(metric, label)`. */
  readonly values: string;
}

export interface Dashboard {
  /** Stable, since links name it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables?: readonly Variable[];
  readonly panels: readonly Panel[];
}

/** Chooses among the traded symbols. */
export const symbolVariable = (metric: string): Variable => ({
  name: "symbol",
  label: "Symbol",
  values: `label_values(${metric}, symbol)`,
});

/** The usual percentiles of a histogram's metric, as one query each. */
export function quantiles(bucket: string, by = ""): Readonly<Record<string, string>> {
  const labels = by === "" ? "le" : `le, ${by}`;
  const legend = by === "" ? "" : `{{${by}}} `;
  return Object.fromEntries(
    [0.5, 0.95, 0.99].map((quantile) => [
      `${legend}p${quantile * 100}`,
      `histogram_quantile(${quantile}, sum by (${labels}) (rate(${bucket}[5m])))`,
    ]),
  );
}

/** A scale that turns orange near a limit and red at it. */
export const limits = (warning: number, critical: number): readonly Threshold[] => [
  { from: warning, colour: "orange" },
  { from: critical, colour: "red" },
];

const COLUMNS = 24;
const HEIGHT = 8;
/** Every dashboard carries it, so that each links to the others. */
const TAG = "autollm";

const datasource = { type: "prometheus", uid: PROMETHEUS_UID };

/** Panels from left to right, a new row where one would not fit. */
function layout(panels: readonly Panel[]) {
  let [x, y, tallest] = [0, 0, 0];
  return panels.map(({ width = 12, height = HEIGHT }) => {
    if (x + width > COLUMNS) [x, y, tallest] = [0, y + tallest, 0];
    const position = { x, y, w: width, h: height };
    x += width;
    tallest = Math.max(tallest, height);
    return position;
  });
}

const options: Readonly<Record<Panel["kind"], unknown>> = {
  timeseries: {
    legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] },
    tooltip: { mode: "multi" },
  },
  stat: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" },
  gauge: { reduceOptions: { calcs: ["lastNotNull"] }, showThresholdMarkers: true },
  bargauge: { reduceOptions: { calcs: ["lastNotNull"] }, orientation: "horizontal", displayMode: "basic" },
};

function panelJson(panel: Panel, id: number, gridPos: unknown) {
  const { kind, thresholds = [], words = {}, min, max } = panel;
  const mapped = Object.entries(words).map(([value, [text, color]]) => [value, { text, color }]);
  return {
    id,
    title: panel.title,
    description: panel.description,
    type: kind,
    datasource,
    gridPos,
    options: options[kind],
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        ...(min === undefined ? {} : { min }),
        ...(max === undefined ? {} : { max }),
        mappings: mapped.length === 0 ? [] : [{ type: "value", options: Object.fromEntries(mapped) }],
        color: { mode: kind === "timeseries" ? "palette-classic" : "thresholds" },
        thresholds: {
          mode: "absolute",
          steps: [
            { color: "green", value: null },
            ...thresholds.map(({ from, colour }) => ({ color: colour, value: from })),
          ],
        },
        ...(kind === "timeseries" && thresholds.length > 0 ? { custom: { thresholdsStyle: { mode: "dashed" } } } : {}),
      },
      overrides: [],
    },
    targets: Object.entries(panel.queries).map(([legend, expr], index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource,
      expr,
      legendFormat: legend,
      // A single figure is its latest value; a curve is all of them.
      ...(kind === "timeseries" ? { range: true } : { instant: true, range: false }),
    })),
  };
}

const variableJson = ({ name, label, values }: Variable) => ({
  name,
  label,
  type: "query",
  datasource,
  definition: values,
  query: { query: values, refId: `${name}-values` },
  multi: true,
  includeAll: true,
  allValue: ".*",
  current: { selected: true, text: ["All"], value: ["$__all"] },
  refresh: 2,
  sort: 1,
});

/** What a series was before, also where nobody could read it for a while. */
const before = (metric: string) => `last_over_time(${metric}[1h] offset 1m)`;

/** Marks on every curve: what was done to the platform, and what happened to it. */
export const annotations = [
  {
    name: "Deploys",
    iconColor: "green",
    // Another container of the same service. The metric comes from the end of each `up`.
    expr: `${CONTAINER_INFO} unless on (service, container_id) ${before(CONTAINER_INFO)} and on (service) ${before(CONTAINER_INFO)}`,
    titleFormat: "{{service}} was deployed",
    textFormat: "{{image}}",
  },
  {
    name: "Rotations",
    iconColor: "purple",
    expr: `credential_rotated_timestamp_seconds != ${before("credential_rotated_timestamp_seconds")}`,
    titleFormat: "{{name}} was rotated",
  },
  {
    name: "Restarts",
    iconColor: "blue",
    expr: "changes(process_start_time_seconds[1m]) > 0",
    titleFormat: "{{job}} was replaced or restarted",
  },
].map((annotation) => ({ ...annotation, datasource, enable: true, step: "1m" }));

/** The dashboard as Grafana reads it from a file. */
export function dashboardJson({ uid, title, description, variables = [], panels }: Dashboard): string {
  const positions = layout(panels);
  return `${JSON.stringify(
    {
      uid,
      title,
      description,
      tags: [TAG],
      editable: false,
      graphTooltip: 1,
      timezone: "utc",
      refresh: "30s",
      schemaVersion: 38,
      time: { from: "now-1h", to: "now" },
      links: [
        {
          type: "dashboards",
          title: "AutoLLM Trader",
          tags: [TAG],
          asDropdown: true,
          includeVars: true,
          keepTime: true,
        },
      ],
      annotations: { list: annotations },
      templating: { list: variables.map(variableJson) },
      panels: panels.map((panel, index) => panelJson(panel, index + 1, positions[index])),
    },
    null,
    2,
  )}\n`;
}
