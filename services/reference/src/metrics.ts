import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Makes metrics of one registry; each group belongs to the roles that own it, so that no series appears twice. */
export class Metrics {
  readonly registry = new Registry();

  counter<Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
  gauge<Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
  histogram<Label extends string>(name: string, help: string, ...labelNames: Label[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets: seconds, registers: [this.registry] });
  }
}

/** What every service measures. */
export function commonMetrics(metrics: Metrics, role: string) {
  collectDefaultMetrics({ register: metrics.registry });
  metrics.gauge("autollm_stand_in_info", "1: a reference stand-in, which trades nothing", "role").set({ role }, 1);
  return {
    requests: metrics.counter("http_requests_total", "HTTP requests", "method", "path", "status"),
    requestSeconds: metrics.histogram("http_request_duration_seconds", "Time of HTTP requests", "method", "path"),
    messages: metrics.counter("nats_messages_total", "NATS messages, out and in", "subject", "status"),
    dependencyUp: metrics.gauge("dependency_up", "1: a dependency answers its probe", "dependency"),
  };
}
export type CommonMetrics = ReturnType<typeof commonMetrics>;

export function databaseMetrics(metrics: Metrics) {
  return { querySeconds: metrics.histogram("db_query_duration_seconds", "Time of Postgres queries", "query_type") };
}

export function limiterMetrics(metrics: Metrics) {
  return {
    limited: metrics.counter("rate_limited_requests_total", "Requests answered 429", "limiter"),
    limiterFallback: metrics.gauge("rate_limiter_local", "1: Redis is away and each replica limits by itself"),
  };
}

export function marketMetrics(metrics: Metrics) {
  return {
    price: metrics.gauge("market_price", "Last price", "symbol"),
    volume: metrics.counter("market_volume_total", "Traded units", "symbol"),
    spreadBps: metrics.gauge("market_spread_bps", "Bid-ask spread in basis points", "symbol"),
  };
}

/** Measured where ticks arrive, so that it covers the way through NATS. */
export function marketArrival(metrics: Metrics) {
  return metrics.gauge("market_feed_lag_seconds", "Age of the last tick when it arrived", "symbol");
}

export function agentMetrics(metrics: Metrics) {
  return {
    intents: metrics.counter("llm_intents_total", "Intents proposed", "symbol", "side", "status"),
    tokens: metrics.counter("llm_tokens_used_total", "Tokens of the model", "model"),
    costUsd: metrics.counter("llm_cost_usd_total", "Cost of the model in USD", "model"),
    errors: metrics.counter("llm_errors_total", "Failed calls of the model", "model"),
    requestSeconds: metrics.histogram("llm_request_duration_seconds", "Time of the model's answers", "model"),
  };
}

export function riskMetrics(metrics: Metrics) {
  return {
    rejections: metrics.counter("risk_rejections_total", "Intents rejected", "reason"),
    approvals: metrics.counter("risk_approvals_total", "Intents approved", "symbol"),
    breaches: metrics.counter("risk_limit_breaches_total", "Breaches of a portfolio limit", "limit"),
    killSwitch: metrics.gauge("kill_switch_active", "1: order execution is stopped"),
    var95: metrics.gauge("portfolio_var_95", "One-day value at risk at 95 %, USD"),
    varLimit: metrics.gauge("portfolio_var_limit", "Limit of the value at risk, USD"),
    equity: metrics.gauge("portfolio_equity", "Equity, USD"),
    leverage: metrics.gauge("portfolio_leverage_ratio", "Gross exposure over equity"),
    dailyPnl: metrics.gauge("daily_pnl", "Profit (positive) or loss (negative) of the UTC day, USD"),
    dailyLossLimit: metrics.gauge("daily_loss_limit", "Largest loss of a day, USD, positive"),
    positionValue: metrics.gauge("position_value_usd", "Value of a position, negative when short", "symbol"),
    concentration: metrics.gauge("position_concentration_pct", "Share of a position in the equity, %", "symbol"),
  };
}

export function orderMetrics(metrics: Metrics) {
  return {
    submitted: metrics.counter("orders_submitted_total", "Orders sent to the venue", "venue", "symbol", "side"),
    filled: metrics.counter("orders_filled_total", "Orders filled", "venue", "symbol", "side"),
    failed: metrics.counter("orders_failed_total", "Orders not filled", "venue", "reason"),
    latency: metrics.histogram("order_latency_seconds", "From intent to fill", "venue"),
    execution: metrics.histogram("execution_latency_seconds", "From approved order to fill", "venue"),
    slippageBps: metrics.gauge("order_slippage_bps", "Slippage of the last fill, basis points", "venue", "symbol"),
  };
}

export function ledgerMetrics(metrics: Metrics) {
  return {
    realizedPnl: metrics.gauge("realized_pnl_total", "Realised profit and loss, USD"),
    openPositions: metrics.gauge("open_positions", "Units held, negative when short; 0 when closed", "symbol"),
    fills: metrics.counter("ledger_fills_total", "Fills written", "symbol"),
  };
}
