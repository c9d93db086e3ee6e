import type { Query } from "../database.ts";
import { type Fill, parseFill } from "../messages.ts";
import { ledgerMetrics } from "../metrics.ts";
import { applyFill, type Position } from "../position.ts";
import type { Service } from "../service.ts";

const REFRESH_MS = 5000;

const schema = `
CREATE TABLE IF NOT EXISTS portfolio_ledger.fills (
  id text PRIMARY KEY, symbol text NOT NULL, side text NOT NULL, quantity double precision NOT NULL,
  price double precision NOT NULL, slippage_bps double precision NOT NULL, venue text NOT NULL,
  paper boolean NOT NULL, at timestamptz NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS fills_at ON portfolio_ledger.fills (at);
CREATE TABLE IF NOT EXISTS portfolio_ledger.positions (
  symbol text PRIMARY KEY, quantity double precision NOT NULL, average_price double precision NOT NULL,
  realized_pnl double precision NOT NULL)`;

const insertFill = `INSERT INTO portfolio_ledger.fills (id, symbol, side, quantity, price, slippage_bps, venue, paper, at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING RETURNING id`;
const selectPosition =
  "SELECT quantity, average_price, realized_pnl FROM portfolio_ledger.positions WHERE symbol = $1 FOR UPDATE";
const upsertPosition = `INSERT INTO portfolio_ledger.positions (symbol, quantity, average_price, realized_pnl) VALUES ($1, $2, $3, $4)
  ON CONFLICT (symbol) DO UPDATE SET quantity = $2, average_price = $3, realized_pnl = $4`;

/** Writes a fill and moves its position, both or neither. False when the fill was there before. */
export async function recordFill(query: Query, fill: Fill): Promise<boolean> {
  const { id, symbol, side, quantity, price, slippageBps, venue, paper, at } = fill;
  const inserted = await query("insert_fill", insertFill, [
    id,
    symbol,
    side,
    quantity,
    price,
    slippageBps,
    venue,
    paper,
    at,
  ]);
  if (inserted.length === 0) return false;
  const [row] = await query("select_position", selectPosition, [symbol]);
  const before: Position = {
    quantity: Number(row?.quantity ?? 0),
    averagePrice: Number(row?.average_price ?? 0),
    realizedPnl: Number(row?.realized_pnl ?? 0),
  };
  const after = applyFill(before, fill);
  await query("upsert_position", upsertPosition, [symbol, after.quantity, after.averagePrice, after.realizedPnl]);
  return true;
}

/** Writes each fill once, whatever how often it comes. */
export function startLedger(service: Service): void {
  const { bus, database, log } = service;
  const metrics = ledgerMetrics(service.metrics);
  let prepared = false;
  const prepare = async () => {
    if (prepared) return;
    await database.query("schema", schema);
    prepared = true;
  };

  bus.subscribe("exec.order.filled", async (payload) => {
    const fill = parseFill(payload);
    await prepare();
    const isNew = await database.transaction("commit_fill", (query) => recordFill(query, fill));
    if (isNew) metrics.fills.inc({ symbol: fill.symbol });
    log.info(isNew ? "fill recorded" : "fill was recorded before", { id: fill.id, symbol: fill.symbol });
  });

  service.every(REFRESH_MS, "portfolio metrics", async () => {
    await prepare();
    const rows = await database.query(
      "select_positions",
      "SELECT symbol, quantity, realized_pnl FROM portfolio_ledger.positions",
    );
    for (const { symbol, quantity } of rows) metrics.openPositions.set({ symbol: String(symbol) }, Number(quantity));
    metrics.realizedPnl.set(rows.reduce((sum, row) => sum + Number(row.realized_pnl), 0));
  });
}
