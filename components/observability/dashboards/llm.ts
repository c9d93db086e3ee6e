import { type Dashboard, limits, quantiles, symbolVariable } from "./panel.ts";

const SYMBOL = 'symbol=~"$symbol"';

/** Intents and approvals are scraped at different moments, so that their quotient may go beyond all. */
const atMostAll = (ratio: string) => `clamp_max(${ratio}, 1)`;

/** LLM Performance: what the model proposes, how fast, and at what cost. */
export const llmPerformance: Dashboard = {
  uid: "llm-performance",
  title: "LLM Performance",
  description: "What the model proposes, how fast, at what cost, and what becomes of it.",
  variables: [symbolVariable("llm_intents_total")],
  panels: [
    {
      title: "Intents, 24 h",
      description: "Intents proposed in the last 24 hours.",
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { intents: `sum(increase(llm_intents_total{${SYMBOL},status="proposed"}[24h]))` },
    },
    {
      title: "Cost, 24 h",
      description: "Of the model's calls in the last 24 hours.",
      unit: "currencyUSD",
      kind: "stat",
      width: 6,
      queries: { cost: "sum(increase(llm_cost_usd_total[24h]))" },
    },
    {
      title: "Tokens, 24 h",
      description: "In and out, in the last 24 hours.",
      unit: "short",
      kind: "stat",
      width: 6,
      queries: { tokens: "sum(increase(llm_tokens_used_total[24h]))" },
    },
    {
      title: "Intent-to-approval ratio, 1 h",
      description: "Share of the intents that the risk manager approved in the last hour.",
      unit: "percentunit",
      kind: "stat",
      width: 6,
      queries: {
        approved: atMostAll(
          `sum(increase(risk_approvals_total{${SYMBOL}}[1h])) / sum(increase(llm_intents_total{${SYMBOL},status="proposed"}[1h]))`,
        ),
      },
    },
    {
      title: "Intents by symbol and side",
      description: "Intents per minute.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{symbol}} {{side}}": `sum by (symbol, side) (rate(llm_intents_total{${SYMBOL}}[5m])) * 60` },
    },
    {
      title: "Model latency",
      description: "Time of the model's answers, as percentiles.",
      unit: "s",
      kind: "timeseries",
      min: 0,
      queries: quantiles("llm_request_duration_seconds_bucket"),
    },
    {
      title: "Tokens",
      description: "Tokens per minute, by model.",
      unit: "short",
      kind: "timeseries",
      min: 0,
      queries: { "{{model}}": "sum by (model) (rate(llm_tokens_used_total[5m])) * 60" },
    },
    {
      title: "Cost",
      description: "USD an hour, by model.",
      unit: "currencyUSD",
      kind: "timeseries",
      min: 0,
      queries: { "{{model}}": "sum by (model) (rate(llm_cost_usd_total[5m])) * 3600" },
    },
    {
      title: "Errors",
      description: "Failed share of the model's calls.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      thresholds: limits(0.05, 0.2),
      queries: {
        "{{model}}":
          "sum by (model) (rate(llm_errors_total[5m])) / (sum by (model) (rate(llm_errors_total[5m])) + sum by (model) (rate(llm_request_duration_seconds_count[5m])))",
      },
    },
    {
      title: "Intent-to-approval ratio",
      description: "Share of the intents that the risk manager approved.",
      unit: "percentunit",
      kind: "timeseries",
      min: 0,
      max: 1,
      queries: {
        approved: atMostAll(
          `sum(rate(risk_approvals_total{${SYMBOL}}[15m])) / sum(rate(llm_intents_total{${SYMBOL},status="proposed"}[15m]))`,
        ),
      },
    },
  ],
};
