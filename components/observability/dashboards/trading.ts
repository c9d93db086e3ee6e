import { KILL_SWITCH_METRIC } from "../../platform/killSwitch.ts";
import { type Dashboard, limits, quantiles, symbolVariable } from "./panel.ts";

const SYMBOL = 'symbol=~"$symbol"';

/** Trading Operations: whether orders flow, how fast, and what they earn. */
export const tradingOperations: Dashboard = {
  uid: "trading-operations",
  title: "Trading Operations",
  description: "Whether orders flow, how fast, and what they earn.",
  variables: [symbolVariable("orders_submitted_total")],
  panels: [
    {
      title: "Realised P&L, 24 h",
      description: "Gain or loss of the positions closed in the last 24 hours.",
      unit: "currencyUSD",
      kind: "stat",
      width: 6,
      thresholds: [{ from: 0, colour: "green" }],
      below: "red",
      // A gain is a gauge, not a counter: a day may lose.
      queries: { "P&L": "sum(realized_pnl_total) - (sum(realized_pnl_total offset 24h) or vector(0))" },
    },
    {
      title: "Kill switch",
      description:
        "While one is on, no order is executed: the platform's stops the executors, the application's is its own.",
      words: { 0: ["off", "green"], 1: ["on", "red"] },
      unit: "short",
      kind: "stat",
      width: 6,
      queries: {
        // It has no series while it is off; without node-exporter nobody knows.
        platform: `max(${KILL_SWITCH_METRIC}) or 0 * max(up{job="node-exporter"} == 1)`,
        application: "max(kill_switch_active)",
      },
    },
    {
      title: "Services up",
      description: "Services whose metrics could be read, of those that should be.",
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { up: "sum(up)", expected: "count(up)" },
    },
    {
      title: "Market",
      description: "Whether the New York Stock Exchange is open.",
      words: { 0: ["closed", "orange"], 1: ["open", "green"] },
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { open: "market:open" },
    },
    {
      title: "Orders per minute",
      description: "Orders that an executor sent to its venue, by symbol.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}} {{symbol}}": `sum by (job, symbol) (rate(orders_submitted_total{${SYMBOL}}[5m])) * 60` },
    },
    {
      title: "Order fill rate",
      description: "Filled share of the submitted orders.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      max: 1,
      queries: {
        "fill rate": `sum(rate(orders_filled_total{${SYMBOL}}[5m])) / sum(rate(orders_submitted_total{${SYMBOL}}[5m]))`,
      },
    },
    {
      title: "Order latency",
      description: "From the intent to its fill, as percentiles.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      thresholds: limits(0.5, 1),
      queries: quantiles("order_latency_seconds_bucket"),
    },
    {
      title: "Execution latency",
      description: "From the approved order to its fill, by executor.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      queries: quantiles("execution_latency_seconds_bucket", "job"),
    },
    {
      title: "Open positions",
      description: "Units held, negative when short.",
      unit: "short",
      kind: "timeseries",
      queries: { "{{symbol}}": `sum by (symbol) (open_positions{${SYMBOL}})` },
    },
    {
      title: "Slippage of the last fill",
      description: "How much worse than the decided price, in basis points.",
      unit: "short",
      kind: "timeseries",
      thresholds: limits(25, 50),
      queries: { "{{symbol}} {{venue}}": `max by (symbol, venue) (order_slippage_bps{${SYMBOL}})` },
    },
    {
      title: "Failed orders",
      description: "Orders that were not filled, per minute, by reason.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}} {{reason}}": "sum by (job, reason) (rate(orders_failed_total[5m])) * 60" },
    },
    {
      title: "Fills written to the ledger",
      description: "Fills per minute, by symbol; it follows the executors' fills.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{symbol}}": `sum by (symbol) (rate(ledger_fills_total{${SYMBOL}}[5m])) * 60` },
    },
  ],
};
