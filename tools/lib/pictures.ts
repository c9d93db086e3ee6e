import * as echarts from "echarts";

/** A panel of a dashboard's JSON, as far as a picture shows it. */
export interface PicturePanel {
  readonly title: string;
  readonly description: string;
  readonly type: "timeseries" | "stat" | "bargauge";
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly min?: number;
      readonly max?: number;
      readonly mappings: readonly {
        readonly options: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
      }[];
      readonly thresholds: { readonly steps: readonly { readonly color: string; readonly value: number | null }[] };
    };
  };
}

/** One series of a panel: its name, and points of time (ms since 1970) and value. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number | null])[];
}

const COLUMN = 50;
const ROW = 30;
const GAP = 8;
const COLOURS: Readonly<Record<string, string>> = { green: "#2f8f4e", orange: "#e08a00", red: "#d0312d" };
const TEXT = { color: "#444", fontFamily: "sans-serif", fontSize: 11 };

/** `value` times a power of `step`, with that power's name, as far as there are names. */
function scaled(value: number, step: number, names: readonly string[]): string {
  const power = Math.min(names.length - 1, Math.max(0, Math.floor(Math.log(Math.abs(value) || 1) / Math.log(step))));
  return `${Number((value / step ** power).toPrecision(3))}${names[power]}`;
}

const plain = (value: number) => scaled(value, 1000, ["", " K", " Mil", " Bil"]);

/** A value as Grafana writes it, for the units that the dashboards use. */
export const formats: Readonly<Record<string, (value: number) => string>> = {
  short: plain,
  percent: (value) => `${Number(value.toPrecision(3))} %`,
  percentunit: (value) => `${Number((value * 100).toPrecision(3))} %`,
  s: (value) =>
    Math.abs(value) < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`,
  currencyUSD: (value) => `$${plain(value)}`,
  bytes: (value) => scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]),
  Bps: (value) => scaled(value, 1000, [" B/s", " kB/s", " MB/s", " GB/s"]),
  bps: (value) => scaled(value, 1000, [" b/s", " kb/s", " Mb/s", " Gb/s"]),
  reqps: (value) => `${plain(value)} req/s`,
  mps: (value) => `${plain(value)} msg/s`,
};

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
const last = ({ points }: Series): number | undefined =>
  points.findLast(([, value]) => value !== null)?.[1] ?? undefined;

/** How a panel writes a value, and the colour of its word or of its thresholds. */
function figure({ fieldConfig }: PicturePanel, value: number): { readonly text: string; readonly color: string } {
  const { unit, mappings, thresholds } = fieldConfig.defaults;
  const word = mappings.map(({ options }) => options[String(value)]).find((it) => it !== undefined);
  const step = thresholds.steps.findLast((it) => it.value === null || value >= it.value);
  const color = COLOURS[word?.color ?? step?.color ?? "green"] ?? TEXT.color;
  return { text: word?.text ?? (formats[unit] ?? plain)(value), color };
}

function curves(panel: PicturePanel, series: readonly Series[]): echarts.EChartsOption {
  const { min, max, thresholds, unit } = panel.fieldConfig.defaults;
  const format = formats[unit] ?? plain;
  const lines = thresholds.steps.flatMap(({ value, color }) =>
    value === null ? [] : [{ yAxis: value, lineStyle: { color: COLOURS[color] ?? TEXT.color } }],
  );
  const markLine = {
    silent: true,
    symbol: "none",
    label: { show: false },
    lineStyle: { type: "dashed" as const },
    data: lines,
  };
  const ends = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  return {
    useUTC: true,
    grid: { left: 60, right: 12, top: 8, bottom: 56 },
    legend: { type: "scroll", bottom: 0, textStyle: TEXT, itemHeight: 8 },
    xAxis: { type: "time", axisLabel: { ...TEXT, hideOverlap: true } },
    yAxis: { type: "value", axisLabel: { ...TEXT, formatter: format }, ...ends },
    series: series.map(({ name, points }, index) => ({
      name: `${name}  ${format(last({ name, points }) ?? Number.NaN)}`,
      type: "line",
      showSymbol: points.length < 3,
      data: points.map(([time, value]) => [time, value]),
      ...(index === 0 && lines.length > 0 ? { markLine } : {}),
    })),
  };
}

function figures(panel: PicturePanel, series: readonly Series[]): echarts.EChartsOption {
  const values = series.flatMap((one) => {
    const value = last(one);
    return value === undefined ? [] : [{ name: one.name, value, itemStyle: { color: figure(panel, value).color } }];
  });
  const label = {
    show: true,
    formatter: ({ value }: { value?: unknown }) => figure(panel, Number(value)).text,
    ...TEXT,
  };
  if (panel.type === "bargauge" || values.length > 1)
    return {
      grid: { left: 8, right: 70, top: 4, bottom: 8, containLabel: true },
      xAxis: { type: "value", show: false, min: 0 },
      yAxis: { type: "category", data: values.map(({ name }) => name), axisLabel: TEXT, inverse: true },
      series: [{ type: "bar", data: values, label: { ...label, position: "right" } as const }],
    };
  const [only] = values;
  return {
    title: {
      left: "center",
      top: "middle",
      text: only === undefined ? "" : figure(panel, only.value).text,
      textStyle: { fontSize: 34, fontFamily: "sans-serif", color: only?.itemStyle.color ?? TEXT.color },
    },
  };
}

function panelSvg(panel: PicturePanel, series: readonly Series[], width: number, height: number): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...(panel.type === "timeseries" ? curves : figures)(panel, series) });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** A dashboard's page, by itself: each panel at its place, with its data. */
export function dashboardPage(
  title: string,
  note: string,
  panels: readonly { readonly panel: PicturePanel; readonly series: readonly Series[] }[],
): string {
  const boxes = panels.map(({ panel, series }) => {
    const { x, y, w, h } = panel.gridPos;
    const [width, height] = [w * COLUMN - GAP, h * ROW - GAP];
    const place = `left:${x * COLUMN}px;top:${y * ROW}px;width:${width}px;height:${height}px`;
    const body = series.some((one) => last(one) !== undefined)
      ? panelSvg(panel, series, width, height - 26)
      : '<p class="empty">no data</p>';
    return `<section style="${place}" title="${escaped(panel.description)}"><h2>${escaped(panel.title)}</h2>${body}</section>`;
  });
  const bottom = Math.max(0, ...panels.map(({ panel: { gridPos } }) => (gridPos.y + gridPos.h) * ROW));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>
body { margin: 16px; width: ${24 * COLUMN}px; background: #f4f5f5; font: 13px sans-serif; color: #222 }
main { position: relative; height: ${bottom}px }
section { position: absolute; background: #fff; border: 1px solid #ddd; box-sizing: border-box; overflow: hidden }
h2 { font-size: 13px; margin: 4px 8px; line-height: 18px }
.empty { text-align: center; color: #888; margin-top: 60px }
</style></head><body><h1>${escaped(title)}</h1><p>${escaped(note)}</p><main>
${boxes.join("\n")}
</main></body></html>
`;
}
