import { type Intent, type NewsItem, number, parseNews, type Side, symbol } from "../messages.ts";
import { agentMetrics } from "../metrics.ts";
import type { Service } from "../service.ts";
import { privateKey, signed } from "../signing.ts";
import { startPrice } from "../symbols.ts";
import { sleep } from "../timing.ts";
import { inSpan } from "../tracing.ts";
import type { Features } from "./features.ts";

const MODEL = "stand-in";
const ORDER_USD = 100;
const THINKING_MS = 20;
const USD_PER_TOKEN = 0.000_002;

const good = /\b(beats?|raises?|wins?|grows?|up|partnership|record|buy)\b/i;
const bad = /\b(misses|cuts?|loses?|falls?|down|inquiry|fraud|sell)\b/i;

/** A word list in place of a language model; without a known word, the momentum decides. */
export function decideSide(headline: string, momentum: number): Side {
  if (bad.test(headline)) return "sell";
  if (good.test(headline)) return "buy";
  return momentum < 0 ? "sell" : "buy";
}

export function intentOf(news: NewsItem, features: Pick<Features, "price" | "momentum"> | undefined): Intent {
  const price = features?.price ?? startPrice(news.symbol);
  return {
    id: news.id,
    symbol: news.symbol,
    side: decideSide(news.headline, features?.momentum ?? 0),
    quantity: Number((ORDER_USD / price).toPrecision(4)),
    model: MODEL,
    at: news.at,
    ...(news.simulate === undefined ? {} : { simulate: news.simulate }),
  };
}

/** Turns each news item into a signed intent. */
export function startAgents(service: Service): void {
  const { bus, config } = service;
  const metrics = agentMetrics(service.metrics);
  metrics.errors.inc({ model: MODEL }, 0);
  metrics.requestSeconds.zero({ model: MODEL });
  const key = privateKey(config.env.requiredFile("LLM_SIGNING_PRIVATE_KEY_PATH"));
  const latest = new Map<string, Pick<Features, "price" | "momentum">>();

  bus.subscribe("features.snapshot.>", async (snapshot) => {
    latest.set(symbol(snapshot), { price: number(snapshot, "price"), momentum: number(snapshot, "momentum") });
  });

  bus.subscribe("news.item.created", async (payload) => {
    const news = parseNews(payload);
    const end = metrics.requestSeconds.startTimer({ model: MODEL });
    await inSpan("model", { attributes: { "gen_ai.request.model": MODEL } }, () => sleep(THINKING_MS));
    end();
    const tokens = 50 + news.headline.length;
    metrics.tokens.inc({ model: MODEL }, tokens);
    metrics.costUsd.inc({ model: MODEL }, tokens * USD_PER_TOKEN);
    const intent = intentOf(news, latest.get(news.symbol));
    const labels = { symbol: intent.symbol, side: intent.side };
    try {
      await bus.publish("llm.intent.proposed", signed(key, intent), `intent:${intent.id}`);
    } catch (error) {
      metrics.intents.inc({ ...labels, status: "failed" });
      throw error;
    }
    metrics.intents.inc({ ...labels, status: "proposed" });
    await bus.publish("llm.intent.trace", { id: intent.id, model: MODEL, tokens, simulated: true });
    service.log.info("intent proposed", { id: intent.id, symbol: intent.symbol, side: intent.side });
  });
}
