import { KILL_SWITCH_METRIC } from "../../platform/killSwitch.ts";
import { type AlertGroup, JOB } from "./alert.ts";
import { MARKET_OPEN } from "./market.ts";

const MAX_FAILED_SHARE = 0.1;
const MAX_SLIPPAGE_BPS = 50;
const MAX_LATENCY_P95_SECONDS = 1;
const MAX_CONCENTRATION_PCT = 25;
const MAX_LEVERAGE = 3;
const APPROACHING_SHARE = 0.8;
const MAX_FEED_LAG_SECONDS = 30;
const MAX_LLM_FAILED_SHARE = 0.2;

/** A loss is positive here, so a gain never approaches a limit. Without a limit the expression is empty. */
const LOSS = "-min(daily_pnl)";
const LOSS_LIMIT = "(max(daily_loss_limit) > 0)";

/** Orders and their risk (docs/requirements.md, "Alerts"). */
export const tradingAlerts: readonly AlertGroup[] = [
  {
    name: "orders",
    alerts: [
      {
        name: "HighOrderFailureRate",
        // Of the orders that were completed: an order may fail before it is submitted.
        expr: `sum by (job) (rate(orders_failed_total[5m])) / (sum by (job) (rate(orders_failed_total[5m])) + sum by (job) (rate(orders_filled_total[5m]))) > ${MAX_FAILED_SHARE}`,
        for: "2m",
        severity: "critical",
        service: JOB,
        subject: "orders",
        summary: "{{ $labels.job }}: {{ $value | humanizePercentage }} of orders fail",
        description: "The venue, the kill switch or the signature check refuses orders; see the label `reason`.",
      },
      {
        name: "ExcessiveSlippage",
        expr: `max by (job, venue, symbol) (order_slippage_bps) > ${MAX_SLIPPAGE_BPS}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "slippage",
        summary: "{{ $labels.symbol }} at {{ $labels.venue }}: {{ $value | humanize }} bps of slippage",
        description: "Fills are worse than the price that the risk manager decided on.",
      },
      {
        name: "OrderLatencyHigh",
        expr: `histogram_quantile(0.95, sum by (le, job) (rate(order_latency_seconds_bucket[5m]))) > ${MAX_LATENCY_P95_SECONDS}`,
        for: "3m",
        severity: "warning",
        service: JOB,
        subject: "latency",
        summary: "{{ $labels.job }}: one order in 20 takes longer than {{ $value | humanizeDuration }}",
        description: "The 95th percentile of the time from intent to fill.",
      },
      {
        name: "NoOrdersProcessed",
        // Without the metric it is unknown whether there were orders; MetricMissing or MetricNeverSeen reports that.
        expr: `sum(increase(orders_submitted_total[2m])) == 0 and on () ${MARKET_OPEN} == 1`,
        for: "15m",
        severity: "warning",
        service: "execution",
        subject: "orders",
        summary: "No order for 15 minutes, and the market is open",
        description: "News, agents, the risk manager or the executors hang, or there was nothing to trade.",
      },
      {
        name: "OrdersStopped",
        expr: `max(${KILL_SWITCH_METRIC}) == 1`,
        for: "0s",
        severity: "critical",
        // The same subject as NoOrdersProcessed, which this alert explains.
        service: "execution",
        subject: "orders",
        summary: "The platform's kill switch is on: no executor runs",
        description: "An operator stopped trading with `./autollm kill-switch on`; only `off` ends it.",
      },
      {
        name: "KillSwitchActive",
        expr: "max(kill_switch_active) == 1",
        for: "0s",
        severity: "critical",
        service: "risk-manager",
        subject: "kill-switch",
        summary: "The application's kill switch is on: no order is executed",
        description: "A person, or the risk manager itself, stopped trading.",
      },
      {
        name: "MarketFeedLagging",
        expr: `max by (job, symbol) (market_feed_lag_seconds) > ${MAX_FEED_LAG_SECONDS}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "feed",
        summary: "{{ $labels.symbol }}: prices arrive {{ $value | humanizeDuration }} late",
        description: "Decisions are made on old prices.",
      },
      {
        name: "LlmCallsFailing",
        expr: `sum by (job) (rate(llm_errors_total[10m])) / (sum by (job) (rate(llm_errors_total[10m])) + sum by (job) (rate(llm_request_duration_seconds_count[10m]))) > ${MAX_LLM_FAILED_SHARE}`,
        for: "5m",
        severity: "warning",
        service: JOB,
        subject: "model",
        summary: "{{ $labels.job }}: {{ $value | humanizePercentage }} of the model's calls fail",
        description: "Its provider is down, its key is refused, or its quota is used up.",
      },
    ],
  },
  {
    name: "risk",
    alerts: [
      {
        name: "VaRExceeded",
        expr: "max(portfolio_var_95) > max(portfolio_var_limit)",
        for: "1m",
        severity: "critical",
        service: "risk-manager",
        subject: "var",
        summary: "Value at risk is {{ $value | humanize }} USD, above its limit",
        description: "The loss that a day exceeds with a chance of 5 % is larger than allowed.",
      },
      {
        name: "ConcentrationBreach",
        expr: `max by (symbol) (position_concentration_pct) > ${MAX_CONCENTRATION_PCT}`,
        for: "2m",
        severity: "critical",
        service: "risk-manager",
        subject: "concentration",
        summary: "{{ $labels.symbol }} is {{ $value | humanize }} % of the equity",
        description: `One position may be ${MAX_CONCENTRATION_PCT} % at most.`,
      },
      {
        name: "LeverageExceeded",
        expr: `max(portfolio_leverage_ratio) > ${MAX_LEVERAGE}`,
        for: "1m",
        severity: "critical",
        service: "risk-manager",
        subject: "leverage",
        summary: "Leverage is {{ $value | humanize }}",
        description: `Gross exposure may be ${MAX_LEVERAGE} times the equity at most.`,
      },
      {
        name: "DailyLossLimitApproaching",
        expr: `${LOSS} >= ${APPROACHING_SHARE} * ${LOSS_LIMIT}`,
        for: "0s",
        severity: "warning",
        service: "risk-manager",
        subject: "daily-loss",
        summary: "The day's loss is {{ $value | humanize }} USD: 80 % of the limit or more",
        description: "At the limit, trading stops for the day.",
      },
      {
        name: "DailyLossLimitBreached",
        expr: `${LOSS} >= ${LOSS_LIMIT}`,
        for: "0s",
        severity: "critical",
        service: "risk-manager",
        subject: "daily-loss",
        summary: "The day's loss is {{ $value | humanize }} USD: the limit is reached",
        description: "The risk manager refuses every further order of the day.",
      },
    ],
  },
];
