import type { MetricMapping } from "../platform/applications/application.ts";

/** One of Prometheus's `metric_relabel_configs`. Its expression must match the whole text. */
export interface Relabeling {
  readonly source_labels: readonly string[];
  readonly regex: string;
  readonly target_label: string;
  /** An empty one removes the label. */
  readonly replacement: string;
}

/** The series of a histogram or summary, and what clients add to them. */
const SERIES = "(_bucket|_sum|_count|_created)?";
const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Gives the series of a scrape the platform's names: labels and values first, as they are found by the metric's own name. */
export function relabelings(mappings: readonly MetricMapping[]): readonly Relabeling[] {
  return mappings.flatMap(({ metric, as = metric, labels = {}, values = {} }) => {
    const name = `${literally(metric)}${SERIES}`;
    return [
      ...Object.entries(labels).flatMap(([own, label]) => [
        { source_labels: ["__name__", own], regex: `${name};(.+)`, target_label: label, replacement: "$2" },
        { source_labels: ["__name__"], regex: name, target_label: own, replacement: "" },
      ]),
      ...Object.entries(values).flatMap(([label, known]) =>
        Object.entries(known).map(([own, value]) => ({
          source_labels: ["__name__", label],
          regex: `${name};${literally(own)}`,
          target_label: label,
          replacement: value,
        })),
      ),
      ...(as === metric
        ? []
        : [{ source_labels: ["__name__"], regex: name, target_label: "__name__", replacement: `${as}$1` }]),
    ];
  });
}
