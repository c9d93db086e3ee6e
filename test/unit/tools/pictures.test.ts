import { expect, test } from "vitest";
import { dashboards } from "../../../components/observability/dashboards/dashboards.ts";
import { dashboardJson } from "../../../components/observability/dashboards/render.ts";
import { dashboardPage, formats, type PicturePanel, type Series } from "../../../tools/lib/pictures.ts";

const all = dashboards.map((dashboard) => ({
  title: dashboard.title,
  panels: (JSON.parse(dashboardJson(dashboard)) as { panels: PicturePanel[] }).panels,
}));
const series: readonly Series[] = [
  { name: "gateway-api", points: [1, 2, 3].map((n) => [n * 60_000, n * 1234.5] as const) },
  { name: "reporter <b>", points: [[60_000, null]] },
];

test("every unit of a dashboard can be written, as Grafana writes it", () => {
  const units = all.flatMap(({ panels }) => panels.map(({ fieldConfig }) => fieldConfig.defaults.unit));
  expect(units.filter((unit) => !(unit in formats))).toEqual([]);
  expect(formats.percentunit?.(0.123)).toBe("12.3 %");
  expect(formats.bytes?.(3 * 1024 ** 3)).toBe("3 GiB");
  expect(formats.currencyUSD?.(-1500)).toBe("$-1.5 K");
  expect(formats.s?.(0.0042)).toBe("4.2 ms");
  expect(formats.short?.(0)).toBe("0");
});

test.each(all)(
  "the page of $title has every panel at its place, with its data or a word that there is none",
  ({ title, panels }) => {
    const filled = dashboardPage(
      title,
      "a note",
      panels.map((panel) => ({ panel, series })),
    );
    expect(filled.match(/<h2>/g)).toHaveLength(panels.length);
    expect(filled.match(/<svg /g)).toHaveLength(panels.length);
    expect(filled).toContain("gateway-api");
    expect(filled).not.toContain("<b>");
    const empty = dashboardPage(
      title,
      "a note",
      panels.map((panel) => ({ panel, series: [] })),
    );
    expect(empty.match(/no data/g)).toHaveLength(panels.length);
  },
);

test("a figure takes the colour of the highest threshold that it reached", () => {
  const panel = all
    .flatMap(({ panels }) => panels)
    .find(({ type, fieldConfig }) => {
      return (
        type === "stat" &&
        fieldConfig.defaults.thresholds.steps.some(({ color, value }) => color === "red" && value !== null)
      );
    });
  expect(panel).toBeDefined();
  if (panel === undefined) return;
  const red = panel.fieldConfig.defaults.thresholds.steps.find(({ color }) => color === "red")?.value ?? 0;
  const at = (value: number) => dashboardPage("page", "", [{ panel, series: [{ name: "one", points: [[1, value]] }] }]);
  expect(at(red)).toContain("#d0312d");
  expect(at(red - 0.001)).not.toContain("#d0312d");
});

test("a loss is red, and a gain is not", () => {
  const panel = all.flatMap(({ panels }) => panels).find(({ title }) => title === "Realised P&L, 24 h");
  expect(panel).toBeDefined();
  if (panel === undefined) return;
  const at = (value: number) => dashboardPage("page", "", [{ panel, series: [{ name: "one", points: [[1, value]] }] }]);
  expect(at(-1)).toContain("#d0312d");
  expect(at(1)).not.toContain("#d0312d");
});
