import { PROMETHEUS_UID } from "../grafanaConfig.ts";

/** A panel of a dashboard: what it shows, in what unit, by which queries. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  /** Grafana's unit id, such as `percent`, `s` or `reqps`. */
  readonly unit: string;
  readonly kind: "timeseries" | "stat";
  /** PromQL by legend. */
  readonly queries: Readonly<Record<string, string>>;
}

export interface Dashboard {
  /** Stable, since links name it. */
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Grafana's grid is 24 columns wide: two panels a row. */
const WIDTH = 12;
const HEIGHT = 8;

/** The dashboard as Grafana reads it from a file. */
export function dashboardJson({ uid, title, panels }: Dashboard): string {
  const datasource = { type: "prometheus", uid: PROMETHEUS_UID };
  return `${JSON.stringify(
    {
      uid,
      title,
      editable: false,
      timezone: "utc",
      refresh: "30s",
      schemaVersion: 38,
      time: { from: "now-1h", to: "now" },
      panels: panels.map((panel, index) => ({
        id: index + 1,
        title: panel.title,
        description: panel.description,
        type: panel.kind,
        datasource,
        gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
        fieldConfig: { defaults: { unit: panel.unit }, overrides: [] },
        targets: Object.entries(panel.queries).map(([legend, expr], query) => ({
          refId: String.fromCharCode(65 + query),
          datasource,
          expr,
          legendFormat: legend,
        })),
      })),
    },
    null,
    2,
  )}\n`;
}
