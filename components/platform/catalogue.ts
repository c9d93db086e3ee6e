import type { GrantableCredential } from "../credentials/fixed.ts";
import type { RedisAccess } from "../data/redisAcl.ts";
import { APPROVED_ORDERS, subjectMatches } from "./subjects.ts";

/** What a service needs besides other services. `nats`, `postgres` and `redis` include the service's own credential. */
export type Dependency = "postgres" | "redis" | "nats" | "ib-gateway" | "data-volume";

/** How a deploy replaces a service, and why that way. */
export interface Deploy {
  /** rolling: the new one is healthy before the old one goes. recreate: never two at a time. on-demand: not kept running. */
  readonly mode: "rolling" | "recreate" | "on-demand";
  readonly why: string;
}

export interface Resources {
  /** Hard limit, MB. */
  readonly memory: number;
  /** Weight under contention; 1024 is the default of Docker. */
  readonly cpuShares: number;
  /** Most processes and threads. */
  readonly pids: number;
}

/** A named volume that outlives the container. */
export interface ServiceVolume {
  readonly name: string;
  /** Path inside the container. */
  readonly path: string;
}

/** One service. `Peer` is any other service's name, so a need that does not exist is a type error. */
export interface ServiceSpec<Peer extends string = string> {
  readonly purpose: string;
  /** Number of its user and group, a free one of the range in components/uids.ts; a test checks that no two share one. */
  readonly uid: number;
  /** Where it serves /health and /metrics; null if it serves nothing. */
  readonly port: number | null;
  readonly needs: readonly (Dependency | Peer)[];
  /** NATS subjects; `>` stands for one token or more. Which of them are durable: streams.ts. */
  readonly publishes: readonly string[];
  readonly subscribes: readonly string[];
  /** What its Redis user may touch; it goes with the need `redis`, and without it the user reaches no key. */
  readonly redis?: RedisAccess;
  /** What it may read beyond what follows from `needs`. */
  readonly credentials: readonly GrantableCredential[];
  /** Services whose Postgres tables it may select from; it finds them by their bare names, after its own. */
  readonly readsTablesOf?: readonly Peer[];
  /** Path prefixes that the edge forwards to it. */
  readonly routes?: readonly `/${string}`[];
  readonly deploy: Deploy;
  /** Its block of the stack's addresses, 1 to 24: one that no other service has. A change gives it new networks. */
  readonly block: number;
  /** Whether it calls the internet. */
  readonly egress: boolean;
  readonly resources: Resources;
  readonly volumes: readonly ServiceVolume[];
}

/** Keeps the names as literal types and lets `needs` name only services of the same table. */
function catalogue<const Name extends string>(
  table: Readonly<Record<Name, ServiceSpec<NoInfer<Name>>>>,
): Readonly<Record<Name, ServiceSpec<Name>>> {
  return table;
}

const small: Resources = { memory: 256, cpuShares: 512, pids: 64 };
const medium: Resources = { memory: 512, cpuShares: 1024, pids: 128 };
const large: Resources = { memory: 1024, cpuShares: 1024, pids: 256 };

/**
 * The services. A new one is one entry here: its container, network segments, NATS user and permissions, Redis user, Postgres
 * role, scrape target and grants all follow from it.
 */
export const services = catalogue({
  "gateway-api": {
    purpose: "The public API: takes news and intents, shows orders, sets the kill switch",
    uid: 70_101,
    port: 8000,
    needs: ["postgres", "redis", "nats", "risk-manager"],
    publishes: ["llm.intent.proposed", "risk.kill_switch.activated", "news.item.created"],
    subscribes: [],
    // The keys of its limiter. A gateway that limits by slowapi keeps them by its library's prefix: LIMITER/ in the older
    // versions of `limits`, LIMITS: in the newer ones; both count by Lua scripts.
    redis: { keys: ["ratelimit:*", "LIMITER/*", "LIMITS:*"], scripts: true },
    // The gateway receives the webhook: news-ingestor has no route at the edge.
    credentials: ["jwt", "miniflux-webhook"],
    readsTablesOf: ["portfolio-ledger"],
    routes: ["/api", "/admin", "/webhook"],
    deploy: { mode: "rolling", why: "keeps no state; a restart must not fail a request" },
    block: 1,
    egress: false,
    resources: medium,
    volumes: [],
  },
  "data-ingestor": {
    purpose: "Market data: bars, ticks and macro figures",
    uid: 70_102,
    port: 8081,
    needs: ["nats", "redis"],
    publishes: ["market.bars.>", "market.ticks.>", "macro.>"],
    subscribes: [],
    redis: { keys: ["market:*"] },
    credentials: ["finnhub"],
    deploy: { mode: "rolling", why: "a tick sent twice is harmless; a gap is not" },
    block: 2,
    egress: true,
    resources: medium,
    volumes: [],
  },
  "news-ingestor": {
    purpose: "News from the feeds",
    uid: 70_103,
    port: 8084,
    needs: ["nats"],
    publishes: ["news.item.created"],
    subscribes: [],
    credentials: ["miniflux", "miniflux-webhook", "alpaca-news"],
    deploy: { mode: "rolling", why: "an item's id makes it count once" },
    block: 3,
    egress: true,
    resources: small,
    volumes: [],
  },
  "feature-pipeline": {
    purpose: "Features from market data, kept in DuckDB and Parquet",
    uid: 70_104,
    port: 8085,
    needs: ["nats", "data-volume"],
    publishes: ["features.snapshot.>"],
    subscribes: ["market.bars.>"],
    credentials: [],
    deploy: { mode: "recreate", why: "DuckDB allows one writer" },
    block: 4,
    egress: false,
    resources: large,
    volumes: [{ name: "market-data", path: "/data" }],
  },
  "llm-agents": {
    purpose: "Turn news and features into signed intents",
    uid: 70_105,
    port: 8086,
    needs: ["feature-pipeline", "nats"],
    publishes: ["llm.intent.proposed", "llm.intent.trace"],
    subscribes: ["news.item.created", "features.snapshot.>"],
    credentials: ["openai", "llm-signing-private"],
    deploy: { mode: "rolling", why: "replicas share one durable consumer, so an item is taken once" },
    block: 5,
    egress: true,
    resources: large,
    volumes: [],
  },
  "risk-manager": {
    purpose: "Decides on intents within the limits, signs orders, holds the kill switch",
    uid: 70_106,
    port: 8070,
    needs: ["redis", "nats", "data-volume"],
    publishes: ["risk.order.approved", "risk.order.rejected"],
    // The kill switch too: it writes the file that stops every executor, and keeps it over restarts.
    subscribes: ["llm.intent.proposed", "market.ticks.>", "risk.kill_switch.activated"],
    redis: { keys: ["risk:*"] },
    credentials: ["risk-signing-private", "llm-signing-public"],
    deploy: { mode: "recreate", why: "one decider: two would each grant the whole limit" },
    block: 6,
    egress: false,
    resources: medium,
    volumes: [{ name: "risk-state", path: "/data" }],
  },
  "execution-ib": {
    purpose: "Executes approved orders at Interactive Brokers",
    uid: 70_107,
    port: 8071,
    needs: ["nats", "risk-manager", "ib-gateway"],
    publishes: ["exec.order.submitted", "exec.order.filled", "exec.order.rejected"],
    subscribes: ["risk.order.approved", "risk.kill_switch.activated"],
    credentials: ["ib-account", "risk-signing-public"],
    deploy: { mode: "recreate", why: "two executors would trade twice" },
    block: 7,
    egress: false,
    resources: small,
    volumes: [],
  },
  "execution-crypto": {
    purpose: "Executes approved orders at the crypto exchanges",
    uid: 70_108,
    port: 8072,
    needs: ["nats", "risk-manager"],
    publishes: ["exec.order.filled"],
    subscribes: ["risk.order.approved"],
    credentials: [
      "binance-key",
      "binance-secret",
      "coinbase-key",
      "coinbase-secret",
      "coinbase-passphrase",
      "kraken-key",
      "kraken-secret",
      "freqtrade",
      "risk-signing-public",
    ],
    deploy: { mode: "recreate", why: "two executors would trade twice" },
    block: 8,
    egress: true,
    resources: medium,
    volumes: [],
  },
  "portfolio-ledger": {
    purpose: "Writes fills and positions to Postgres",
    uid: 70_109,
    port: 8073,
    needs: ["postgres", "nats"],
    publishes: [],
    subscribes: ["exec.order.filled"],
    credentials: [],
    deploy: { mode: "recreate", why: "one writer keeps the order of fills" },
    block: 9,
    egress: false,
    resources: small,
    volumes: [],
  },
  reporter: {
    purpose: "Reports by mail and Telegram; takes Alertmanager's webhook at POST /alert",
    uid: 70_110,
    port: 8074,
    needs: ["postgres", "nats"],
    publishes: [],
    subscribes: [],
    credentials: ["smtp-user", "smtp-password", "telegram-token", "telegram-chat"],
    readsTablesOf: ["portfolio-ledger"],
    deploy: { mode: "recreate", why: "two would send each report twice" },
    block: 10,
    egress: true,
    resources: small,
    volumes: [],
  },
  "backtest-engine": {
    purpose: "Backtests strategies into the reports volume",
    uid: 70_111,
    port: null,
    needs: [],
    publishes: [],
    subscribes: [],
    credentials: [],
    deploy: { mode: "on-demand", why: "a batch job that ends by itself" },
    block: 11,
    egress: false,
    resources: large,
    volumes: [{ name: "reports", path: "/reports" }],
  },
});

export type ServiceName = keyof typeof services;

export const serviceNames = Object.keys(services) as readonly ServiceName[];

export function isServiceName(name: string): name is ServiceName {
  return Object.hasOwn(services, name);
}

/** The services that receive approved orders: none of them runs while the kill switch is on, and never two of one. */
export const executors: readonly ServiceName[] = serviceNames.filter((name) =>
  services[name].subscribes.some((pattern) => subjectMatches(pattern, APPROVED_ORDERS)),
);

export function isExecutor(service: ServiceName): boolean {
  return executors.includes(service);
}

/** A service's name with only letters, digits and underscores: its Postgres role and schema, its CI job. */
export function underscored(service: string): string {
  return service.replaceAll("-", "_");
}
