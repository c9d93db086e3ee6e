import type { Tick } from "../messages.ts";
import { marketMetrics } from "../metrics.ts";
import type { Service } from "../service.ts";
import { startPrice, symbolsOf } from "../symbols.ts";

const TICK_MS = 1000;
const TICKS_A_BAR = 5;
const MACRO_MS = 60_000;
const REDIS_KEY = "market:last";

interface Bar {
  readonly open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

/** The next price of a random walk, about 0.02 % a step. */
export function nextPrice(price: number, random = Math.random): number {
  return Math.max(price * (1 + (random() - 0.5) / 2500), 0.01);
}

export function makeTick(symbol: string, price: number, at: Date, random = Math.random): Tick {
  const half = (price * (1 + random() * 4)) / 20_000;
  return {
    symbol,
    price,
    bid: price - half,
    ask: price + half,
    volume: Math.round(1 + random() * 99),
    at: at.toISOString(),
  };
}

export function addToBar(bar: Bar | undefined, { price, volume }: Tick): Bar {
  if (bar === undefined) return { open: price, high: price, low: price, close: price, volume };
  return {
    open: bar.open,
    high: Math.max(bar.high, price),
    low: Math.min(bar.low, price),
    close: price,
    volume: bar.volume + volume,
  };
}

/** Simulated market data, and each message says so. The last prices are kept in Redis, so a restart makes no jump. */
export function startDataIngestor(service: Service): void {
  const { bus, redis, config } = service;
  const metrics = marketMetrics(service.metrics);
  const lagMs = config.env.number("SIMULATE_FEED_LAG_MS", 0);
  const prices = new Map(symbolsOf(config).map((symbol) => [symbol, startPrice(symbol)]));
  const bars = new Map<string, Bar>();
  let ticks = 0;
  let restored = false;

  const restore = async () => {
    const saved = await redis.run("last prices", (client) => client.hGetAll(REDIS_KEY));
    for (const [symbol, price] of Object.entries(saved))
      if (prices.has(symbol) && Number(price) > 0) prices.set(symbol, Number(price));
    restored = true;
  };

  const tickOf = async (symbol: string, price: number) => {
    const tick = makeTick(symbol, price, new Date(Date.now() - lagMs));
    await bus.publish(`market.ticks.${symbol}`, { ...tick, simulated: true });
    metrics.price.set({ symbol }, price);
    metrics.volume.inc({ symbol }, tick.volume);
    metrics.spreadBps.set({ symbol }, ((tick.ask - tick.bid) / price) * 10_000);
    const bar = addToBar(bars.get(symbol), tick);
    bars.set(symbol, bar);
    if (ticks % TICKS_A_BAR !== 0) return;
    bars.delete(symbol);
    await bus.publish(`market.bars.${symbol}`, { symbol, ...bar, at: tick.at, simulated: true });
  };

  service.every(TICK_MS, "market data", async () => {
    await bus.connection();
    if (!restored) await restore().catch(() => undefined);
    ticks++;
    for (const [symbol, price] of prices) {
      const next = nextPrice(price);
      prices.set(symbol, next);
      await tickOf(symbol, next);
    }
    if (ticks % TICKS_A_BAR !== 0 || !restored) return;
    await redis.run("keep prices", (client) =>
      client.hSet(REDIS_KEY, Object.fromEntries([...prices].map(([name, price]) => [name, String(price)]))),
    );
  });
  service.every(MACRO_MS, "macro figures", async () => {
    await bus.connection();
    await bus.publish("macro.rates", { name: "rates", value: 4.25, at: new Date().toISOString(), simulated: true });
  });
}
