import { PROMETHEUS_UID } from "../../components/observability/grafanaConfig.ts";

/** A query of a panel, as far as it is asked again. */
export interface PanelTarget {
  readonly refId: string;
  readonly expr: string;
}

/** A panel's query for Grafana's API, with each choice at the top of its dashboard at "all". The pages put their choices in themselves. */
export function panelQuery<Target extends PanelTarget>(target: Target, intervalMs: number, maxDataPoints: number) {
  return {
    ...target,
    datasource: { type: "prometheus", uid: PROMETHEUS_UID },
    expr: target.expr.replaceAll(/\$\w+\b/g, ".*"),
    intervalMs,
    maxDataPoints,
  };
}
