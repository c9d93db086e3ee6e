import { randomUUID } from "node:crypto";
import { HttpError } from "../http.ts";
import { identifier, MessageError, type NewsItem, type Payload, symbol, text } from "../messages.ts";
import type { Service } from "../service.ts";
import { symbolsOf, yamlFile } from "../symbols.ts";
import { inSpan, traceId } from "../tracing.ts";

const USUAL_INTERVAL_S = 20;
const headlines = [
  "beats expectations",
  "misses expectations",
  "announces a partnership",
  "faces an inquiry",
  "raises its outlook",
];

/** News from a timer (simulated, and said to be), and from POST /ingest within the segment. */
export function startNewsIngestor(service: Service): void {
  const { bus, http, config } = service;
  const symbols = symbolsOf(config);
  let turn = 0;

  const publish = async (news: NewsItem) => {
    await bus.publish("news.item.created", { ...news }, `news:${news.id}`);
    service.log.info("news", { id: news.id, symbol: news.symbol, source: news.source });
  };

  const itemOf = (body: Payload): NewsItem => ({
    id: body.id === undefined ? randomUUID() : identifier(body),
    headline: text(body, "headline"),
    symbol: symbol(body),
    source: "ingest",
    at: new Date().toISOString(),
  });

  http.route("POST", "/ingest", async (request) => {
    const body = await request.json();
    try {
      const news = itemOf(body);
      await publish(news);
      return { status: 202, body: { id: news.id, state: "accepted", trace_id: traceId() } };
    } catch (error) {
      if (error instanceof MessageError) throw new HttpError(400, error.message);
      throw error;
    }
  });

  const { news_interval_seconds: usual } = yamlFile(config, "FEEDS_CONFIG");
  const interval =
    config.env.number("NEWS_INTERVAL_SECONDS", typeof usual === "number" ? usual : USUAL_INTERVAL_S) * 1000;
  if (interval <= 0) return;
  service.every(interval, "simulated news", () =>
    inSpan("simulated news", {}, async () => {
      await bus.connection();
      const name = symbols[turn % symbols.length] ?? "SPY";
      const headline = `${name} ${headlines[turn++ % headlines.length]} (simulated)`;
      await publish({ id: randomUUID(), headline, symbol: name, source: "simulated", at: new Date().toISOString() });
    }),
  );
}
