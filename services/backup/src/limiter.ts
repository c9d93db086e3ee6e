import { createServer, type Server, type ServerResponse } from "node:http";
import { Attempts, attemptKinds, clientOf } from "./attempts.ts";
import { listenAt } from "./listen.ts";
import { type CountAttempt, redisCounter, redisLogin, SharedAttempts } from "./sharedAttempts.ts";

/** Where it serves the edge, /health and /metrics; components/edge/limiter.ts says the same. */
const PORT = 9190;
/** The header in which the edge says whom a request is from. */
const CLIENT = "x-client-address";

interface Counted {
  readonly attempts: Attempts | SharedAttempts;
  taken: number;
  refused: number;
}

const isAlone = ({ attempts }: Counted) => attempts instanceof SharedAttempts && attempts.alone;

function metricsPage(kinds: ReadonlyMap<string, Counted>): string {
  const metric = (name: string, type: string, help: string, value: (kind: Counted) => number) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...[...kinds].map(([kind, counted]) => `${name}{kind="${kind}"} ${value(counted)}`),
  ];
  const lines = [
    ...metric("edge_attempts_taken_total", "counter", "Attempts that went on.", ({ taken }) => taken),
    ...metric("edge_attempts_refused_total", "counter", "Attempts over the limit.", ({ refused }) => refused),
    ...metric("edge_attempts_clients", "gauge", "Clients that are remembered.", ({ attempts }) => attempts.clients),
    "# HELP rate_limiter_local 1: Redis is away, and this limiter counts by itself.",
    "# TYPE rate_limiter_local gauge",
    `rate_limiter_local ${[...kinds.values()].some(isAlone) ? 1 : 0}`,
  ];
  return `${lines.join("\n")}\n`;
}

function refuse(response: ServerResponse, seconds: number): void {
  response
    .writeHead(429, { "content-type": "text/plain; charset=utf-8", "retry-after": String(seconds) })
    .end(`too many requests; try again in ${seconds} s\n`);
}

/**
 * Tells the edge whether a client may make another attempt: `GET /take/KIND` answers 200, or 429 with Retry-After;
 * `GET /return/KIND` gives a right one back. It sees the client's address and no password. What is counted in Redis outlives it.
 * @param count counts in Redis; without it, all is counted here
 */
export function serveLimiter(port = PORT, count?: CountAttempt): Server {
  const kinds = new Map<string, Counted>(
    Object.entries(attemptKinds).map(([name, kind]) => {
      const attempts = kind.shared && count ? new SharedAttempts(name, kind, count) : new Attempts(kind);
      return [name, { attempts, taken: 0, refused: 0 }];
    }),
  );
  const server = createServer(async (request, response) => {
    if (request.url === "/health") return void response.end("ok\n");
    if (request.url === "/metrics")
      return void response.setHeader("content-type", "text/plain; version=0.0.4").end(metricsPage(kinds));
    const [, action, name = ""] = (request.url ?? "").split("?", 1)[0]?.split("/") ?? [];
    const counted = kinds.get(name);
    if (counted === undefined || (action !== "take" && action !== "return"))
      return void response.writeHead(404).end("no such limit\n");
    const client = clientOf(String(request.headers[CLIENT] ?? ""));
    if (client === undefined) return void response.writeHead(400).end(`${CLIENT} holds no address\n`);
    if (action === "return") {
      if (counted.attempts instanceof Attempts) counted.attempts.giveBack(client);
      return void response.end("ok\n");
    }
    const seconds = await counted.attempts.take(client);
    counted[seconds === 0 ? "taken" : "refused"] += 1;
    if (seconds === 0) response.end("ok\n");
    else refuse(response, seconds);
  });
  void listenAt(server, port);
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      server.close();
      // The edge keeps its connections open.
      server.closeIdleConnections();
    });
  return server;
}

/** The limiter as its container runs it. */
export function runLimiter(): void {
  const login = redisLogin();
  const redis = login === undefined ? undefined : redisCounter(login);
  serveLimiter(PORT, redis?.count).once("close", () => redis?.close());
}
