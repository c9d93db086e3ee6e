import { describe, expect, it } from "vitest";
import {
  MessageError,
  type Order,
  parseFill,
  parseIntent,
  parseNews,
  parsePayload,
  simulation,
} from "../../../services/reference/src/messages.ts";
import { breached, breaches, riskLimits, riskView, traded } from "../../../services/reference/src/portfolio.ts";
import { applyFill, noPosition } from "../../../services/reference/src/position.ts";
import { decideSide, intentOf } from "../../../services/reference/src/roles/agents.ts";
import { backtest, randomWalk } from "../../../services/reference/src/roles/backtest.ts";
import { addToBar, makeTick, nextPrice } from "../../../services/reference/src/roles/data-ingestor.ts";
import { paperFill } from "../../../services/reference/src/roles/execution.ts";
import { featuresOf } from "../../../services/reference/src/roles/features.ts";
import { alertRow } from "../../../services/reference/src/roles/reporter.ts";
import { venueOf } from "../../../services/reference/src/symbols.ts";

const at = "2026-01-05T15:00:00.000Z";

describe("messages", () => {
  const news = { id: "n-1", headline: "SPY beats", symbol: "SPY", source: "test", at };

  it("are read field by field; what is not known stays behind", () => {
    expect(parseNews({ ...news, extra: "x" })).toEqual(news);
  });

  it.each([
    ["id", "../x"],
    ["id", ""],
    ["symbol", "spy"],
    ["symbol", "SPY\n"],
    ["headline", 7],
    ["headline", "x".repeat(501)],
  ])("are refused with %s = %j", (field, value) =>
    expect(() => parseNews({ ...news, [field]: value })).toThrow(MessageError),
  );

  it("need sides and amounts that make sense", () => {
    const intent = { id: "1", symbol: "SPY", side: "buy", quantity: 1, model: "m", at };
    expect(parseIntent(intent)).toEqual(intent);
    for (const bad of [
      { side: "hold" },
      { quantity: 0 },
      { quantity: -1 },
      { quantity: Number.NaN },
      { quantity: "1" },
    ]) {
      expect(() => parseIntent({ ...intent, ...bad })).toThrow(MessageError);
    }
  });

  it("must be JSON objects", () => {
    for (const text of ["", "[]", "null", "1", "{"]) expect(() => parsePayload(text)).toThrow(MessageError);
  });

  it("carry a simulation of known kinds only", () => {
    expect(simulation({})).toEqual({});
    expect(simulation({ simulate: { fail: true, latencyMs: 99_999 } })).toEqual({
      simulate: { fail: true, latencyMs: 5000 },
    });
    for (const simulate of [1, [], { explode: true }, { breach: "everything" }]) {
      expect(() => simulation({ simulate })).toThrow(MessageError);
    }
  });
});

describe("agents", () => {
  it("read headlines, and follow the momentum where they find no word", () => {
    expect(decideSide("SPY beats expectations", -1)).toBe("buy");
    expect(decideSide("SPY misses expectations", 1)).toBe("sell");
    expect(decideSide("SPY meets expectations", -0.1)).toBe("sell");
  });

  it("keep the news item's id, and trade for about 100 USD", () => {
    const intent = intentOf({ id: "n1", headline: "up", symbol: "SPY", source: "t", at }, { price: 500, momentum: 0 });
    expect(intent).toMatchObject({ id: "n1", symbol: "SPY", side: "buy", quantity: 0.2 });
    expect(intent).not.toHaveProperty("simulate");
  });

  it("send pairs to the exchanges and the rest to the broker", () => {
    expect([venueOf("BTC-USD"), venueOf("SPY"), venueOf("BRK-B")]).toEqual(["crypto", "ib", "ib"]);
  });
});

describe("risk", () => {
  const limits = riskLimits({});
  const prices = new Map([["SPY", 500]]);
  const holding = (value: number) =>
    traded(new Map(), { symbol: "SPY", side: value < 0 ? "sell" : "buy", quantity: Math.abs(value) / 500, price: 500 });
  const view = (value: number) => riskView(holding(value), prices, 1_000_000, 1_000_000);

  it("sees nothing wrong with nothing", () =>
    expect(breaches(riskView(new Map(), prices, 1_000_000, 1_000_000), limits)).toEqual([]));

  it("counts a short position like a long one", () => {
    for (const value of [300_000, -300_000]) expect(breaches(view(value), limits)).toContain("concentration");
    expect(view(-300_000).leverage).toBeCloseTo(0.3);
  });

  it("marks to the last price", () => {
    const fallen = riskView(holding(100_000), new Map([["SPY", 400]]), 1_000_000, 1_000_000);
    expect(fallen.dailyPnl).toBeCloseTo(-20_000);
    expect(breaches(fallen, limits)).toContain("daily_loss");
  });

  it("does not take a good day for a loss", () => {
    const risen = riskView(holding(100_000), new Map([["SPY", 900]]), 1_000_000, 1_000_000);
    expect(breaches(risen, limits)).not.toContain("daily_loss");
  });

  it.each(["var", "leverage", "concentration", "daily_loss"] as const)("can simulate a breach of %s alone", (limit) => {
    expect(breaches(breached(view(1000), limit, limits, "SPY"), limits)).toEqual([limit]);
  });

  it("refuses a limit that would not limit", () => {
    expect(riskLimits({ max_leverage_ratio: 2 }).maxLeverage).toBe(2);
    for (const bad of [0, -1, "3", Number.POSITIVE_INFINITY]) {
      expect(() => riskLimits({ max_leverage_ratio: bad })).toThrow(/max_leverage_ratio/);
    }
  });
});

describe("execution", () => {
  const order: Order = {
    id: "1",
    symbol: "SPY",
    side: "buy",
    quantity: 2,
    limitPrice: 100,
    venue: "ib",
    intentAt: at,
    at,
  };
  const habits = { failureRate: 0, slippageBps: 3, latencyMs: 0 };

  it("fills at a price that is worse by the slippage", () => {
    expect(paperFill(order, habits, new Date(at))?.price).toBeCloseTo(100.03);
    expect(paperFill({ ...order, side: "sell" }, habits, new Date(at))?.price).toBeCloseTo(99.97);
    expect(paperFill({ ...order, simulate: { slippageBps: 80 } }, habits, new Date(at))?.slippageBps).toBe(80);
  });

  it("fails by rate, and by the order's own wish", () => {
    expect(paperFill(order, { ...habits, failureRate: 0.5 }, new Date(at), () => 0.4)).toBeUndefined();
    expect(paperFill(order, { ...habits, failureRate: 0.5 }, new Date(at), () => 0.6)).toBeDefined();
    expect(paperFill({ ...order, simulate: { fail: true } }, habits, new Date(at))).toBeUndefined();
    expect(
      paperFill({ ...order, simulate: { fail: false } }, { ...habits, failureRate: 1 }, new Date(at)),
    ).toBeDefined();
  });

  it("makes fills that the ledger can read", () => {
    const fill = paperFill(order, habits, new Date(at));
    expect(parseFill({ ...fill })).toEqual(fill);
  });
});

describe("positions", () => {
  const buy = (quantity: number, price: number) => ({ side: "buy" as const, quantity, price });
  const sell = (quantity: number, price: number) => ({ side: "sell" as const, quantity, price });
  const position = (...fills: Parameters<typeof applyFill>[1][]) => fills.reduce(applyFill, noPosition);

  it("average what they cost", () =>
    expect(position(buy(1, 100), buy(3, 200))).toEqual({ quantity: 4, averagePrice: 175, realizedPnl: 0 }));
  it("realise profit when they shrink", () => {
    expect(position(buy(4, 100), sell(1, 150))).toEqual({ quantity: 3, averagePrice: 100, realizedPnl: 50 });
  });
  it("close to nothing", () =>
    expect(position(buy(0.3, 10), sell(0.1, 10), sell(0.2, 10))).toEqual({
      quantity: 0,
      averagePrice: 0,
      realizedPnl: 0,
    }));
  it("turn from long to short at the new price", () => {
    expect(position(buy(1, 100), sell(3, 110))).toEqual({ quantity: -2, averagePrice: 110, realizedPnl: 10 });
  });
  it("gain when a short is bought back cheaper", () => expect(position(sell(2, 100), buy(2, 90)).realizedPnl).toBe(20));
});

describe("market data", () => {
  it("walks, and never to zero", () => {
    let price = 0.01;
    for (let step = 0; step < 1000; step++) price = nextPrice(price, () => 0);
    expect(price).toBeGreaterThanOrEqual(0.01);
  });

  it("quotes around the price, and sums ticks to bars", () => {
    const tick = makeTick("SPY", 100, new Date(at), () => 0.5);
    expect(tick.bid).toBeLessThan(100);
    expect(tick.ask).toBeGreaterThan(100);
    const bar = [101, 99, 100].reduce<ReturnType<typeof addToBar> | undefined>(
      (sum, price) => addToBar(sum, { ...tick, price, volume: 2 }),
      undefined,
    );
    expect(bar).toEqual({ open: 101, high: 101, low: 99, close: 100, volume: 6 });
  });

  it("becomes features", () => {
    expect(featuresOf("SPY", [100])).toEqual({ symbol: "SPY", price: 100, momentum: 0, volatility: 0, bars: 1 });
    expect(featuresOf("SPY", [100, 110]).momentum).toBeCloseTo(0.1);
  });
});

describe("backtests", () => {
  it("are the same for the same seed", () => {
    expect(randomWalk(7, 100)).toEqual(randomWalk(7, 100));
    expect(randomWalk(7, 100)).not.toEqual(randomWalk(8, 100));
  });
  it("gain on a rising price", () => {
    const rising = Array.from({ length: 100 }, (_, step) => 100 + step);
    expect(backtest(rising).returnPct).toBeGreaterThan(50);
    expect(backtest(rising).maxDrawdownPct).toBe(0);
  });
});

describe("alerts", () => {
  it("become rows", () => {
    const alert = {
      status: "firing",
      labels: { alertname: "A", severity: "critical" },
      annotations: { summary: "s" },
      startsAt: at,
      fingerprint: "f",
    };
    expect(alertRow(alert)).toEqual(["f", at, "firing", "A", "critical", "s"]);
    expect(alertRow({ startsAt: at })).toEqual(["unnamed", at, "firing", "unnamed", "none", ""]);
  });
  it("need a start", () => {
    for (const bad of [null, "x", {}, { startsAt: "soon" }]) expect(() => alertRow(bad)).toThrow();
  });
});
