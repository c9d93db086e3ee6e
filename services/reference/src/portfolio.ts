import type { Limit, Side } from "./messages.ts";

/** The limits of RISK_CONFIG, with what holds where the file is silent. */
export interface RiskLimits {
  readonly maxConcentrationPct: number;
  readonly maxLeverage: number;
  readonly maxOrderUsd: number;
  readonly maxDailyLossUsd: number;
  readonly maxVar95Usd: number;
  readonly startEquityUsd: number;
}

const defaults = {
  max_position_concentration_pct: 25,
  max_leverage_ratio: 3,
  max_order_value_usd: 10_000,
  max_daily_loss_usd: 5_000,
  max_var_95_usd: 20_000,
  start_equity_usd: 1_000_000,
} as const;

/** Reads RISK_CONFIG's mapping; a limit that is no positive number is refused, never ignored. */
export function riskLimits(file: Readonly<Record<string, unknown>>): RiskLimits {
  const limit = (name: keyof typeof defaults): number => {
    const value = file[name] ?? defaults[name];
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new Error(`RISK_CONFIG: ${name} must be a number above 0`);
  };
  return {
    maxConcentrationPct: limit("max_position_concentration_pct"),
    maxLeverage: limit("max_leverage_ratio"),
    maxOrderUsd: limit("max_order_value_usd"),
    maxDailyLossUsd: limit("max_daily_loss_usd"),
    maxVar95Usd: limit("max_var_95_usd"),
    startEquityUsd: limit("start_equity_usd"),
  };
}

/** What is held of a symbol: units (negative when short) and what they cost in all. */
export interface Holding {
  readonly quantity: number;
  readonly cost: number;
}

export interface RiskView {
  readonly equity: number;
  readonly values: ReadonlyMap<string, number>;
  readonly concentrationPct: ReadonlyMap<string, number>;
  readonly leverage: number;
  readonly var95: number;
  readonly dailyPnl: number;
}

/** The 95 % quantile of the normal distribution, and the volatility of a day that every symbol is taken to have. */
const Z_95 = 1.645;
const DAILY_VOLATILITY = 0.03;

/** The portfolio in figures: marked to the last prices, symbols taken as independent. */
export function riskView(
  holdings: ReadonlyMap<string, Holding>,
  prices: ReadonlyMap<string, number>,
  startEquity: number,
  dayStartEquity: number,
): RiskView {
  const values = new Map([...holdings].map(([symbol, { quantity }]) => [symbol, quantity * (prices.get(symbol) ?? 0)]));
  const profit = [...holdings].reduce((sum, [symbol, { cost }]) => sum + (values.get(symbol) ?? 0) - cost, 0);
  const equity = startEquity + profit;
  const gross = [...values.values()].reduce((sum, value) => sum + Math.abs(value), 0);
  const variance = [...values.values()].reduce((sum, value) => sum + (value * DAILY_VOLATILITY) ** 2, 0);
  return {
    equity,
    values,
    concentrationPct: new Map([...values].map(([symbol, value]) => [symbol, (Math.abs(value) / equity) * 100])),
    leverage: gross / equity,
    var95: Z_95 * Math.sqrt(variance),
    dailyPnl: equity - dayStartEquity,
  };
}

/** Holdings after a trade. */
export function traded(
  holdings: ReadonlyMap<string, Holding>,
  { symbol, side, quantity, price }: { symbol: string; side: Side; quantity: number; price: number },
): ReadonlyMap<string, Holding> {
  const before = holdings.get(symbol) ?? { quantity: 0, cost: 0 };
  const units = side === "buy" ? quantity : -quantity;
  const after = { quantity: before.quantity + units, cost: before.cost + units * price };
  return new Map([...holdings, [symbol, after]]);
}

/** The limits that a portfolio breaches. */
export function breaches(view: RiskView, limits: RiskLimits): readonly Limit[] {
  const found: Limit[] = [];
  if (view.var95 > limits.maxVar95Usd) found.push("var");
  if (view.leverage > limits.maxLeverage) found.push("leverage");
  if ([...view.concentrationPct.values()].some((pct) => pct > limits.maxConcentrationPct)) found.push("concentration");
  if (view.dailyPnl < -limits.maxDailyLossUsd) found.push("daily_loss");
  return found;
}

/** A view that breaches a limit, for tests that want the alert. */
export function breached(view: RiskView, limit: Limit, limits: RiskLimits, symbol: string): RiskView {
  const beyond = 1.2;
  switch (limit) {
    case "var":
      return { ...view, var95: limits.maxVar95Usd * beyond };
    case "leverage":
      return { ...view, leverage: limits.maxLeverage * beyond };
    case "concentration":
      return {
        ...view,
        concentrationPct: new Map([...view.concentrationPct, [symbol, limits.maxConcentrationPct * beyond]]),
      };
    case "daily_loss":
      return { ...view, dailyPnl: -limits.maxDailyLossUsd * beyond };
  }
}
