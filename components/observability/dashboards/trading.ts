import type { Dashboard } from "./panel.ts";

/** Trading Operations: whether orders flow, how fast, and what they earn. */
export const tradingOperations: Dashboard = {
  uid: "trading-operations",
  title: "Trading Operations",
  panels: [
    {
      title: "Orders per minute",
      description: "Orders that an executor sent to its venue.",
      unit: "short",
      kind: "timeseries",
      queries: { "{{job}}": "sum by (job) (rate(orders_submitted_total[5m])) * 60" },
    },
    {
      title: "Order fill rate",
      description: "Filled share of the submitted orders.",
      unit: "percentunit",
      kind: "timeseries",
      queries: { "fill rate": "sum(rate(orders_filled_total[5m])) / sum(rate(orders_submitted_total[5m]))" },
    },
    {
      title: "Realised P&L, 24 h",
      description: "Gain or loss of the positions closed in the last 24 hours.",
      unit: "currencyUSD",
      kind: "stat",
      // A gain is a gauge, not a counter: a day may lose.
      queries: { "P&L": "sum(realized_pnl_total) - (sum(realized_pnl_total offset 24h) or vector(0))" },
    },
    {
      title: "Order latency",
      description: "From the approved order to the venue's answer.",
      unit: "s",
      kind: "timeseries",
      queries: Object.fromEntries(
        ([0.5, 0.95, 0.99] as const).map((quantile) => [
          `p${quantile * 100}`,
          `histogram_quantile(${quantile}, sum by (le) (rate(order_latency_seconds_bucket[5m])))`,
        ]),
      ),
    },
    {
      title: "Open positions",
      description: "Positions that are not closed, by symbol.",
      unit: "short",
      kind: "timeseries",
      queries: { "{{symbol}}": "sum by (symbol) (open_positions)" },
    },
    {
      title: "Services up",
      description: "Services whose metrics could be read, of those that should be.",
      unit: "short",
      kind: "stat",
      queries: { up: "sum(up)", expected: "count(up)" },
    },
  ],
};
