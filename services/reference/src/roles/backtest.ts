import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";

const STEPS = 1000;

/** A random walk that is the same for the same seed (mulberry32). */
export function randomWalk(seed: number, steps: number): readonly number[] {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const prices = [100];
  for (let step = 1; step < steps; step++) prices.push((prices.at(-1) ?? 100) * (1 + (random() - 0.5) / 50));
  return prices;
}

/** Buys above the mean of the last prices, holds nothing below it. */
export function backtest(
  prices: readonly number[],
  window = 20,
): { trades: number; returnPct: number; maxDrawdownPct: number } {
  let [equity, peak, drawdown, trades, invested] = [1, 1, 0, 0, false];
  for (let step = window; step < prices.length; step++) {
    const [before = 0, now = 0] = [prices[step - 1], prices[step]];
    if (invested) equity *= now / before;
    peak = Math.max(peak, equity);
    drawdown = Math.max(drawdown, 1 - equity / peak);
    const mean = prices.slice(step - window, step).reduce((sum, price) => sum + price, 0) / window;
    const wanted = now > mean;
    if (wanted !== invested) trades++;
    invested = wanted;
  }
  return { trades, returnPct: (equity - 1) * 100, maxDrawdownPct: drawdown * 100 };
}

/** Runs one backtest and writes its report, whole or not at all. */
export async function runBacktest(config: Config, log: Log): Promise<void> {
  const directory = config.env.text("REPORTS_DIR") ?? "/reports";
  const seed = config.env.number("BACKTEST_SEED", 1);
  const at = new Date().toISOString();
  const report = { standIn: true, at, seed, steps: STEPS, ...backtest(randomWalk(seed, STEPS)) };
  await mkdir(directory, { recursive: true });
  const path = join(directory, `backtest-${at.replaceAll(/[:.]/g, "-")}.json`);
  await writeFile(`${path}.part`, `${JSON.stringify(report, null, 2)}\n`);
  await rename(`${path}.part`, path);
  log.info("report written", { path, trades: report.trades, return_pct: report.returnPct });
}
