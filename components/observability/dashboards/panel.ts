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
  readonly kind: "timeseries" | "stat" | "bargauge";
  /** PromQL by legend. */
  readonly queries: Readonly<Record<string, string>>;
  readonly thresholds?: readonly Threshold[];
  /** The colour below the first threshold. Default green: all is well there. */
  readonly below?: Colour;
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

/** A percentile of a histogram by its labels, `le` among them; nothing where nothing was counted, which PromQL calls NaN. */
export const quantileOf = (quantile: number, bucket: string, labels: string) =>
  `histogram_quantile(${quantile}, sum by (${labels}) (rate(${bucket}[5m]))) >= 0`;

/** The usual percentiles of a histogram's metric, as one query each. */
export function quantiles(bucket: string, by = ""): Readonly<Record<string, string>> {
  const labels = by === "" ? "le" : `le, ${by}`;
  const legend = by === "" ? "" : `{{${by}}} `;
  return Object.fromEntries(
    [0.5, 0.95, 0.99].map((quantile) => [`${legend}p${quantile * 100}`, quantileOf(quantile, bucket, labels)]),
  );
}

/** A scale that turns orange near a limit and red at it. */
export const limits = (warning: number, critical: number): readonly Threshold[] => [
  { from: warning, colour: "orange" },
  { from: critical, colour: "red" },
];
