import type { Side } from "./messages.ts";

export interface Position {
  /** Negative when short. */
  readonly quantity: number;
  readonly averagePrice: number;
  readonly realizedPnl: number;
}

export const noPosition: Position = { quantity: 0, averagePrice: 0, realizedPnl: 0 };

/** Below this a quantity is a rounding error. */
const NOTHING = 1e-9;

/** A position after a trade, by the average cost method: adding moves the average, reducing realises profit or loss. */
export function applyFill(before: Position, fill: { side: Side; quantity: number; price: number }): Position {
  const traded = fill.side === "buy" ? fill.quantity : -fill.quantity;
  const sum = before.quantity + traded;
  const quantity = Math.abs(sum) < NOTHING ? 0 : sum;
  const adds = before.quantity === 0 || Math.sign(before.quantity) === Math.sign(traded);
  if (adds) {
    const cost = before.quantity * before.averagePrice + traded * fill.price;
    return { quantity, averagePrice: quantity === 0 ? 0 : cost / quantity, realizedPnl: before.realizedPnl };
  }
  const closed = Math.min(Math.abs(traded), Math.abs(before.quantity)) * Math.sign(before.quantity);
  const realizedPnl = before.realizedPnl + closed * (fill.price - before.averagePrice);
  const turned = quantity !== 0 && Math.sign(quantity) !== Math.sign(before.quantity);
  return { quantity, averagePrice: quantity === 0 ? 0 : turned ? fill.price : before.averagePrice, realizedPnl };
}
