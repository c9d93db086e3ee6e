import { type AlertCase, constant, gauge, ib, latency, one, pair, rising, risk } from "./cases.ts";

export const ordersCases: readonly AlertCase[] = [
  {
    alert: "HighOrderFailureRate",
    service: "execution-ib",
    fires: [
      {
        series: {
          [`orders_failed_total{${ib},reason="venue"}`]: rising(2),
          [`orders_filled_total{${ib},symbol="SPY"}`]: rising(8),
        },
      },
      {
        series: {
          [`orders_failed_total{${ib},reason="signature"}`]: rising(1),
          [`orders_filled_total{${ib},symbol="SPY"}`]: constant(0),
        },
      },
    ],
    quiet: [
      {
        series: {
          [`orders_failed_total{${ib},reason="venue"}`]: rising(1),
          [`orders_filled_total{${ib},symbol="SPY"}`]: rising(19),
        },
      },
      {
        series: {
          [`orders_failed_total{${ib},reason="venue"}`]: constant(0),
          [`orders_filled_total{${ib},symbol="SPY"}`]: constant(0),
        },
      },
    ],
  },
  gauge("ExcessiveSlippage", "execution-ib", `order_slippage_bps{${ib},venue="ib",symbol="SPY"}`, 60, 40),
  {
    alert: "OrderLatencyHigh",
    service: "execution-ib",
    fires: [{ series: latency("order_latency_seconds", `${ib},venue="ib"`, 2.5) }],
    quiet: [{ series: latency("order_latency_seconds", `${ib},venue="ib"`, 0.5) }],
  },
  {
    alert: "NoOrdersProcessed",
    service: "execution",
    // Open until 01:00; then with orders, before 15 minutes are over, after the close, and on a holiday.
    fires: [one(`orders_submitted_total{${ib}}`, 7, "20m")],
    quiet: [
      // Nobody counts orders: other alerts tell that.
      { series: {}, at: "20m" },
      { series: { [`orders_submitted_total{${ib}}`]: rising(1) }, at: "20m" },
      one(`orders_submitted_total{${ib}}`, 7, "14m"),
      one(`orders_submitted_total{${ib}}`, 7, "90m", "1m"),
      one(`orders_submitted_total{${ib}}`, 7, "24h30m", "5m"),
    ],
  },
  {
    alert: "OrdersStopped",
    service: "execution",
    fires: [one('platform_kill_switch_active{job="node-exporter"}', 1)],
    // Off, it has no series.
    quiet: [one('up{job="node-exporter"}', 1)],
  },
  gauge("KillSwitchActive", "risk-manager", `kill_switch_active{${risk}}`, 1, 0),
  gauge("MarketFeedLagging", "feature-pipeline", 'market_feed_lag_seconds{job="feature-pipeline",symbol="SPY"}', 45, 2),
  {
    alert: "LlmCallsFailing",
    service: "llm-agents",
    fires: [
      {
        series: {
          'llm_errors_total{job="llm-agents"}': rising(1),
          'llm_request_duration_seconds_count{job="llm-agents"}': rising(1),
        },
      },
    ],
    quiet: [
      {
        series: {
          'llm_errors_total{job="llm-agents"}': constant(3),
          'llm_request_duration_seconds_count{job="llm-agents"}': rising(1),
        },
      },
    ],
  },
  pair(
    "VaRExceeded",
    "risk-manager",
    [`portfolio_var_95{${risk}}`, "portfolio_var_limit"],
    [21_000, 20_000],
    [[19_000, 20_000]],
  ),
  gauge("ConcentrationBreach", "risk-manager", `position_concentration_pct{${risk},symbol="SPY"}`, 26, 24),
  gauge("LeverageExceeded", "risk-manager", `portfolio_leverage_ratio{${risk}}`, 3.1, 3),
  // A good day is no loss, however good: the old system's alert took its absolute value.
  pair(
    "DailyLossLimitApproaching",
    "risk-manager",
    [`daily_pnl{${risk}}`, `daily_loss_limit{${risk}}`],
    [-4100, 5000],
    [
      [-3900, 5000],
      [9000, 5000],
      [0, 0],
    ],
  ),
  pair(
    "DailyLossLimitBreached",
    "risk-manager",
    [`daily_pnl{${risk}}`, `daily_loss_limit{${risk}}`],
    [-5000, 5000],
    [
      [-4900, 5000],
      [9000, 5000],
      [0, 0],
    ],
  ),
];
