import * as bargauge from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as grafana from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";
import { CONTAINER_INFO } from "../../runtime/containerNames.ts";
import type { Dashboard, Panel, Variable } from "./panel.ts";

/** Every dashboard carries it, so that each links to the others. */
const TAG = "autollm";

/** The choice of an environment: the Prometheus that every query of a dashboard goes to. Data sources are named after theirs. */
const ENVIRONMENT = "environment";
const datasource = { type: "prometheus", uid: `\${${ENVIRONMENT}}` };

const latest = () => new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]);

const dashed = new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed);

/** Each kind of panel with what is the same for all of its kind. */
const visualizations = {
  timeseries: () =>
    new timeseries.PanelBuilder()
      .legend(
        new common.VizLegendOptionsBuilder()
          .showLegend(true)
          .displayMode(common.LegendDisplayMode.Table)
          .placement(common.LegendPlacement.Bottom)
          .calcs(["lastNotNull", "max"]),
      )
      .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi)),
  stat: () => new stat.PanelBuilder().reduceOptions(latest()),
  bargauge: () =>
    new bargauge.PanelBuilder()
      .reduceOptions(latest())
      .orientation(common.VizOrientation.Horizontal)
      .displayMode(common.BarGaugeDisplayMode.Basic),
} satisfies Record<Panel["kind"], () => Builder<grafana.Panel>>;

/** A single figure is its latest value; a curve is all of them, with the traces behind the points of a histogram. */
function query(kind: Panel["kind"], legend: string, expr: string, index: number): DataqueryBuilder {
  const builder = new DataqueryBuilder()
    .refId(String.fromCharCode("A".charCodeAt(0) + index))
    .datasource(datasource)
    .expr(expr)
    .legendFormat(legend);
  return kind === "timeseries" ? builder.range().exemplar(expr.includes("_bucket")) : builder.instant();
}

function panelBuilder(panel: Panel, id: number): Builder<grafana.Panel> {
  const { kind, thresholds = [], below = "green", words = {}, min, max, width = 12, height = 8 } = panel;
  const curve = kind === "timeseries";
  const options = Object.entries(words).map(([value, [text, color]]) => [value, { text, color }] as const);
  const builder = visualizations[kind]();
  builder
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(datasource)
    .unit(panel.unit)
    .span(width)
    .height(height)
    .mappings(
      options.length === 0 ? [] : [{ type: grafana.MappingType.ValueToText, options: Object.fromEntries(options) }],
    )
    .colorScheme(
      new grafana.FieldColorBuilder().mode(
        curve ? grafana.FieldColorModeId.PaletteClassic : grafana.FieldColorModeId.Thresholds,
      ),
    )
    .thresholds(
      new grafana.ThresholdsConfigBuilder()
        .mode(grafana.ThresholdsMode.Absolute)
        .steps([
          { color: below, value: null },
          ...thresholds.map(({ from, colour }) => ({ color: colour, value: from })),
        ]),
    )
    .targets(Object.entries(panel.queries).map(([legend, expr], index) => query(kind, legend, expr, index)));
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  if (builder instanceof timeseries.PanelBuilder) {
    if (thresholds.length > 0) builder.thresholdsStyle(dashed);
    // Without it, the scale of a share that is 0 all the time ends at 10,000 %.
    if (panel.unit === "percentunit" && max === undefined) builder.axisSoftMax(0.1);
  }
  return builder;
}

const environmentVariable = new grafana.DatasourceVariableBuilder(ENVIRONMENT)
  .label("Environment")
  .description("Where the figures come from.")
  .type("prometheus");

const variableBuilder = ({ name, label, values }: Variable) =>
  new grafana.QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .definition(values)
    .query({ query: values, refId: `${name}-values` })
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ selected: true, text: ["All"], value: ["$__all"] })
    .refresh(grafana.VariableRefresh.OnTimeRangeChanged)
    .sort(grafana.VariableSort.AlphabeticalAsc);

/** What a series was before, also where nobody could read it for a while. */
const before = (metric: string) => `last_over_time(${metric}[1h] offset 1m)`;

/** Marks on every curve: what was done to the platform, and what happened to it. */
export const annotations = [
  {
    name: "Deploys",
    colour: "green",
    // Another container of the same service. The metric comes from the end of each `up`.
    expr: `${CONTAINER_INFO} unless on (service, container_id) ${before(CONTAINER_INFO)} and on (service) ${before(CONTAINER_INFO)}`,
    title: "{{service}} was deployed",
    text: "{{image}}",
  },
  {
    name: "Rotations",
    colour: "purple",
    expr: `credential_rotated_timestamp_seconds != ${before("credential_rotated_timestamp_seconds")}`,
    title: "{{name}} was rotated",
    text: "",
  },
  {
    name: "Restarts",
    colour: "blue",
    expr: "changes(process_start_time_seconds[1m]) > 0",
    title: "{{job}} was replaced or restarted",
    text: "",
  },
] as const;

const annotationBuilder = ({ name, colour, expr, title, text }: (typeof annotations)[number]) =>
  new grafana.AnnotationQueryBuilder()
    .name(name)
    .datasource(datasource)
    .enable(true)
    .iconColor(colour)
    .expr(expr)
    .titleFormat(title)
    .textFormat(text)
    .step("1m");

/** The dashboard as Grafana reads it from a file. */
export function dashboardJson({ uid, title, description, variables = [], panels }: Dashboard): string {
  const builder = new grafana.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .readonly()
    .tooltip(grafana.DashboardCursorSync.Crosshair)
    .timezone("utc")
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .link(
      new grafana.DashboardLinkBuilder("AutoLLM Trader")
        .type(grafana.DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .annotations(annotations.map(annotationBuilder))
    .variables([environmentVariable, ...variables.map(variableBuilder)]);
  panels.forEach((panel, index) => {
    builder.withPanel(panelBuilder(panel, index + 1));
  });
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}
