/** The order limits that risk-manager enforces (docs/requirements.md: concentration 25 %, leverage 3). */
export const riskLimits = {
  max_position_concentration_pct: 25,
  max_leverage_ratio: 3,
  max_order_value_usd: 10_000,
  max_daily_loss_usd: 5_000,
  max_var_95_usd: 20_000,
} as const;
