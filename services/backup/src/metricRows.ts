/** A metric without labels: its name, type and help, and its value, which a page leaves out while it is undefined. */
export type MetricRow<Status> = readonly [
  name: string,
  type: "gauge" | "counter",
  help: string,
  value: (status: Status) => number | undefined,
];

/** The lines of some metrics in Prometheus's text format. */
export function metricLines<Status>(rows: readonly MetricRow<Status>[], status: Status): string[] {
  return rows.flatMap(([name, type, help, value]) => {
    const now = value(status);
    return now === undefined ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${now}`];
  });
}

/** Milliseconds since 1970 as Prometheus counts them. */
export const seconds = (at: number | undefined): number | undefined => (at === undefined ? undefined : at / 1000);
