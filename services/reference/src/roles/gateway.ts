import { randomUUID } from "node:crypto";
import { ClientAddress } from "../clientAddress.ts";
import { type Answer, type Handler, HttpError, type Request } from "../http.ts";
import { authorize, type Claims, verifyingKeys } from "../jwt.ts";
import { reason } from "../log.ts";
import { identifier, MessageError, type NewsItem, type Payload, simulation, symbol, text } from "../messages.ts";
import { limiterMetrics } from "../metrics.ts";
import { type Limiter, localLimiter, slidingWindowScript, verdictOf, withFallback } from "../rateLimit.ts";
import type { Service } from "../service.ts";
import { traceId } from "../tracing.ts";

const WINDOW_MS = 60_000;
const MOST_ORDERS = 200;

const schema = `CREATE TABLE IF NOT EXISTS gateway_api.requests (
  id text PRIMARY KEY, kind text NOT NULL, caller text NOT NULL, trace_id text, at timestamptz NOT NULL DEFAULT now())`;

/** The limiter of all replicas, with this replica's own to fall back on. */
function makeLimiter(service: Service, limit: number): Limiter {
  const { limiterFallback } = limiterMetrics(service.metrics);
  let fallback = false;
  const shared: Limiter = async (client) =>
    verdictOf(
      await service.redis.run("rate limit", (redis) =>
        redis.eval(slidingWindowScript, {
          keys: [`ratelimit:${client}`],
          arguments: [String(WINDOW_MS), String(limit), randomUUID()],
        }),
      ),
    );
  return withFallback(shared, localLimiter(limit, WINDOW_MS), (active, error) => {
    if (active !== fallback)
      service.log.warning(active ? "limiting locally" : "limiting by redis again", { error: reason(error) });
    fallback = active;
    limiterFallback.set(active ? 1 : 0);
  });
}

/** Every route but /health and /metrics: limited by client, then open to a good token only. */
function guard(service: Service) {
  const { env } = service.config;
  const previousUntil = env.number("JWT_SECRET_PREVIOUS_UNTIL", 0);
  const keys = verifyingKeys(env.text("JWT_SECRET"), env.text("JWT_SECRET_PREVIOUS"), previousUntil);
  const limit = env.number("RATE_LIMIT_PER_MINUTE", 100);
  const addresses = new ClientAddress(env.list("TRUSTED_PROXY"));
  const limiter = makeLimiter(service, limit);
  return (handler: (request: Request, claims: Claims) => Promise<Answer>, scope?: string): Handler =>
    async (request) => {
      const client = await addresses.of(request.peer, request.header("x-forwarded-for"));
      const verdict = await limiter(client);
      if (!verdict.allowed) {
        service.log.info("rate limited", { client });
        throw new HttpError(429, `more than ${limit} requests a minute`, { "retry-after": String(verdict.retryAfter) });
      }
      const claims = authorize(request.header("authorization"), keys, scope);
      try {
        const answer = await handler(request, claims);
        return {
          ...answer,
          headers: {
            "ratelimit-limit": String(limit),
            "ratelimit-remaining": String(verdict.remaining),
            ...answer.headers,
          },
        };
      } catch (error) {
        // A wrong field of a body is the caller's to fix.
        if (error instanceof MessageError) throw new HttpError(400, error.message);
        throw error;
      }
    };
}

/** Publishes, then notes the request; 202 means that the stream holds it. */
async function accept(
  service: Service,
  kind: string,
  subject: string,
  id: string,
  payload: Payload,
  caller: string,
): Promise<Answer> {
  await service.bus.publish(subject, payload, `${kind}:${id}`);
  const row = [id, kind, caller, traceId() ?? null];
  await service.database
    .query(
      "insert_request",
      "INSERT INTO gateway_api.requests (id, kind, caller, trace_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
      row,
    )
    .catch((error) => service.log.warning("request accepted but not noted", { id, error: reason(error) }));
  service.log.info("accepted", { kind, id, caller });
  return { status: 202, body: { id, state: "accepted", trace_id: traceId() } };
}

async function orderState(service: Service, id: string): Promise<Answer> {
  const [fill] = await service.database.query("select_fill", "SELECT * FROM portfolio_ledger.fills WHERE id = $1", [
    id,
  ]);
  if (fill !== undefined) return { body: { ...fill, state: "filled" } };
  const [request] = await service.database.query("select_request", "SELECT * FROM gateway_api.requests WHERE id = $1", [
    id,
  ]);
  if (request !== undefined) return { body: { ...request, state: "accepted" } };
  throw new HttpError(404, "no such order");
}

function newsOf(body: Payload, claims: Claims): NewsItem {
  const asked = simulation(body);
  if (asked.simulate !== undefined && !claims.scope.split(" ").includes("admin"))
    throw new HttpError(403, "simulate needs scope admin");
  return {
    id: body.id === undefined ? randomUUID() : identifier(body),
    headline: text(body, "headline"),
    symbol: symbol(body),
    source: "gateway-api",
    at: new Date().toISOString(),
    ...asked,
  };
}

/** The public API. A caller may repeat a POST with its own id: it counts once. */
export function startGateway(service: Service): void {
  const { http, bus, database } = service;
  const guarded = guard(service);
  service.every(WINDOW_MS, "schema", async () => {
    await database.query("schema", schema);
  });

  const post = (path: string, handler: Parameters<typeof guarded>[0], scope?: string) =>
    http.route("POST", path, guarded(handler, scope));
  const get = (path: string, handler: Parameters<typeof guarded>[0], scope?: string) =>
    http.route("GET", path, guarded(handler, scope));

  post("/api/news", async (request, claims) => {
    const news = newsOf(await request.json(), claims);
    return await accept(service, "news", "news.item.created", news.id, { ...news }, claims.sub);
  });
  // The gateway holds no signing key: it passes on what an agent's key has signed, and the risk manager checks it.
  post("/api/intents", async (request, claims) => {
    const { payload, signature } = await request.json();
    return await accept(service, "intent", "llm.intent.proposed", randomUUID(), { payload, signature }, claims.sub);
  });
  get("/api/orders", async () => {
    const sql = "SELECT * FROM portfolio_ledger.fills ORDER BY at DESC LIMIT $1";
    return { body: { orders: await database.query("select_fills", sql, [MOST_ORDERS]) } };
  });
  get("/api/orders/:id", (request) => orderState(service, request.params.id ?? ""));
  get("/api/positions", async () => ({
    body: {
      positions: await database.query("select_positions", "SELECT * FROM portfolio_ledger.positions ORDER BY symbol"),
    },
  }));
  get(
    "/admin/kill-switch",
    async () => ({ body: JSON.parse(await service.ask("risk-manager", "/kill-switch")) as unknown }),
    "admin",
  );
  post(
    "/admin/kill-switch",
    async (request, claims) => {
      const activation = {
        reason: text(await request.json(), "reason", 200),
        by: claims.sub,
        at: new Date().toISOString(),
      };
      await bus.publish("risk.kill_switch.activated", activation);
      service.log.warning("kill switch activated", activation);
      return { status: 202, body: { active: true, ...activation } };
    },
    "admin",
  );
}
