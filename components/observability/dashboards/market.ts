import { type Dashboard, limits, symbolVariable } from "./panel.ts";

const SYMBOL = 'symbol=~"$symbol"';

/** Market Data: whether prices arrive, and how fresh they are. */
export const marketData: Dashboard = {
  uid: "market-data",
  title: "Market Data",
  description: "Whether prices arrive, and how fresh they are.",
  variables: [symbolVariable("market_price")],
  panels: [
    {
      title: "Prices",
      description: "The last price of each symbol.",
      unit: "currencyUSD",
      kind: "timeseries",
      queries: { "{{symbol}}": `max by (symbol) (market_price{${SYMBOL}})` },
    },
    {
      title: "Volumes",
      description: "Traded units per minute.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{symbol}}": `sum by (symbol) (rate(market_volume_total{${SYMBOL}}[5m])) * 60` },
    },
    {
      title: "Spreads",
      description: "Between bid and ask, in basis points.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{symbol}}": `max by (symbol) (market_spread_bps{${SYMBOL}})` },
    },
    {
      title: "Feed lag",
      description: "Age of the last tick when it arrived behind NATS.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      thresholds: limits(10, 30),
      queries: { "{{job}} {{symbol}}": `max by (job, symbol) (market_feed_lag_seconds{${SYMBOL}})` },
    },
    {
      title: "Messages per subject",
      description: "Published messages a second.",
      unit: "mps",
      kind: "timeseries",
      min: 0,
      queries: { "{{subject}}": 'sum by (subject) (rate(nats_messages_total{status="published"}[5m]))' },
    },
    {
      title: "Messages that failed",
      description: "Messages a second that were not stored, not understood, or must come again.",
      unit: "mps",
      kind: "timeseries",
      min: 0,
      queries: {
        "{{job}} {{subject}} {{status}}":
          'sum by (job, subject, status) (rate(nats_messages_total{status=~"failed|invalid|retried|dropped"}[5m])) or vector(0)',
      },
    },
    {
      title: "Price against its hour",
      description: "Deviation from the mean of the last hour.",
      unit: "percentunit",
      kind: "timeseries",
      queries: {
        "{{symbol}}": `max by (symbol) (market_price{${SYMBOL}}) / max by (symbol) (avg_over_time(market_price{${SYMBOL}}[1h])) - 1`,
      },
    },
    {
      title: "Messages handled per subject",
      description: "Received messages a second, by the service that handled them.",
      unit: "mps",
      kind: "timeseries",
      min: 0,
      queries: { "{{job}} {{subject}}": 'sum by (job, subject) (rate(nats_messages_total{status="received"}[5m]))' },
    },
  ],
};
