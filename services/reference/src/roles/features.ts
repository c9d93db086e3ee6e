import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Payload, positive, symbol } from "../messages.ts";
import type { Service } from "../service.ts";

const BARS_KEPT = 60;

export interface Features {
  readonly symbol: string;
  readonly price: number;
  /** Change over the bars that are kept, as a fraction. */
  readonly momentum: number;
  /** Standard deviation of the bars' returns. */
  readonly volatility: number;
  readonly bars: number;
}

export function featuresOf(name: string, closes: readonly number[]): Features {
  const price = closes.at(-1) ?? 0;
  const first = closes[0] ?? price;
  const returns = closes.slice(1).map((close, index) => close / (closes[index] ?? close) - 1);
  const mean = returns.reduce((sum, value) => sum + value, 0) / Math.max(returns.length, 1);
  const variance = returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(returns.length, 1);
  return {
    symbol: name,
    price,
    momentum: first === 0 ? 0 : price / first - 1,
    volatility: Math.sqrt(variance),
    bars: closes.length,
  };
}

/** Features of the last bars, written to the data volume (as JSON: a stand-in carries no DuckDB) and published. */
export function startFeatures(service: Service): void {
  const { bus, config } = service;
  const root = config.env.text("PARQUET_ROOT") ?? "/data/parquet";
  const closes = new Map<string, number[]>();

  bus.subscribe("market.bars.>", async (bar: Payload) => {
    const name = symbol(bar);
    const kept = [...(closes.get(name) ?? []), positive(bar, "close")].slice(-BARS_KEPT);
    closes.set(name, kept);
    const features = { ...featuresOf(name, kept), at: new Date().toISOString() };
    await mkdir(root, { recursive: true });
    const path = join(root, `features-${name}.json`);
    await writeFile(`${path}.part`, `${JSON.stringify(features)}\n`);
    await rename(`${path}.part`, path);
    await bus.publish(`features.snapshot.${name}`, features);
  });
}
