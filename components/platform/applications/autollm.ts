import { stringify } from "yaml";
import type { CredentialName } from "../../credentials/catalogue.ts";
import { underscored } from "../catalogue.ts";
import { refer } from "../references.ts";
import type { Start } from "../release.ts";
import { riskLimits } from "../riskLimits.ts";
import type { Application } from "./application.ts";

const credential = (name: CredentialName) => refer("credential", name);
const file = (name: CredentialName) => refer("file", name);
const address = (name: string) => refer("address", name);
const setting = (name: string) => refer("setting", name);

/** Its settings come in groups, each a JSON text under the group's name. */
const group = (members: object) => JSON.stringify(members);

/** Its equity by its own setting: its limits are shares of that. */
const NAV_USD = 1_000_000;
/** The folder that all its services shared; the gateway and risk-manager need it: one sets the kill switch, the other obeys it. */
const DATA = "/app/data";
const KILL_SWITCH = `${DATA}/kill_switch.flag`;
const CONFIG = "/etc/autollm";

const MESSAGING = group({ nats_url: address("nats.url") });
const database = (service: "gateway-api" | "portfolio-ledger" | "reporter") =>
  group({
    host: address("postgres.host"),
    database: address("postgres.database"),
    user: address("postgres.user"),
    password: credential(`postgres-${service}`),
  });
const REDIS_URL = address("redis.url");

/** Where its configuration files are, and the switch of risk-manager. */
const RISK = group({
  risk_config_path: `${CONFIG}/risk.yaml`,
  symbols_config_path: `${CONFIG}/symbols.yaml`,
  feeds_config_path: `${CONFIG}/feeds.yaml`,
  kill_switch_file: KILL_SWITCH,
});

const module = (name: string) => ["python", "-m", `apps.${name}.src.main`];
/** Its programs write below their working directory, and libraries below the home directory. */
const scratch = { [DATA]: { memory: 64 }, "/app/reports": { memory: 64 } } as const;
/** Python and its libraries take some seconds to load, and more on a busy host. */
const startPeriod = 90;

const start = (own: Start): Start => ({
  startPeriod,
  ...own,
  environment: { RISK, ...own.environment },
  writable: { "/tmp": { memory: 128 }, ...scratch, ...own.writable },
});

/** AutoLLM Trader as its owner's repository builds it: its images are not adapted to this platform. */
export const autollm: Application = {
  purpose: "AutoLLM Trader's own images, as its repository builds them",
  build: {
    repository: "bobplanket/Bototo",
    branch: "main",
    context: ".",
    dockerfile: (service) =>
      `infra/dockerfiles/${service === "gateway-api" ? "gateway" : underscored(service)}.Dockerfile`,
  },
  smoke: { token: { path: "/api/positions", expected: [401, 403] } },
  services: {
    "gateway-api": start({
      // Its image starts with a program in root's home, which no other user can read.
      command: ["python", "-m", "uvicorn", "apps.gateway_api.src.main:app", "--host", "0.0.0.0", "--port", "8000"],
      environment: {
        MESSAGING,
        REDIS_URL,
        DATABASE: database("gateway-api"),
        AUTH: group({ jwt_secret: credential("jwt"), webauthn_origin: setting("url") }),
        MINIFLUX_WEBHOOK_SECRET: credential("miniflux-webhook"),
      },
      // Its users, and the kill switch.
      writable: { [DATA]: { volume: true } },
      // The only one of its programs that waits for an answer of NATS: it creates its stream at its start.
      messaging: { inbox: "standard", streams: ["INTENTS"] },
    }),
    "data-ingestor": start({
      command: module("data_ingestor"),
      environment: { MESSAGING, REDIS_URL, FINNHUB_API_KEY: credential("finnhub") },
    }),
    "news-ingestor": start({
      command: module("news_ingestor"),
      environment: {
        MESSAGING,
        ALPACA_NEWS_API_KEY: credential("alpaca-news"),
        MINIFLUX_API_TOKEN: credential("miniflux"),
        MINIFLUX_WEBHOOK_SECRET: credential("miniflux-webhook"),
      },
    }),
    "feature-pipeline": start({
      command: module("feature_pipeline"),
      environment: { MESSAGING, DUCKDB: group({ path: "/data/features.duckdb", parquet_root: "/data/parquet" }) },
    }),
    "llm-agents": start({
      command: module("llm_agents"),
      environment: {
        MESSAGING,
        OPENAI_API_KEY: credential("openai"),
        SECRETS: group({ llm_signing_private_key_path: file("llm-signing-private") }),
      },
      memory: 2048,
      // An embedding model of some 90 MB is downloaded into the home directory's cache.
      home: "/home/app",
      writable: { "/home/app": { memory: 512 } },
    }),
    "risk-manager": start({
      command: module("risk_manager"),
      environment: {
        MESSAGING,
        REDIS_URL,
        SECRETS: group({
          risk_signing_private_key_path: file("risk-signing-private"),
          llm_public_key_path: file("llm-signing-public"),
        }),
        // `./autollm kill-switch` sets the same switch.
        KILL_SWITCH_FILE: KILL_SWITCH,
      },
      writable: { [DATA]: { volume: "gateway-api" } },
    }),
    "execution-ib": start({
      command: module("execution_ib"),
      environment: {
        MESSAGING,
        SECRETS: group({ risk_public_key_path: file("risk-signing-public") }),
        BROKERS: group({
          ib_enabled: true,
          ib_host: address("ib.host"),
          ib_port: address("ib.port"),
          ib_account: credential("ib-account"),
        }),
      },
    }),
    "execution-crypto": start({
      command: module("execution_crypto"),
      environment: {
        MESSAGING,
        SECRETS: group({ risk_public_key_path: file("risk-signing-public") }),
        BROKERS: group({ freqtrade_host: setting("freqtradeHost"), freqtrade_token: credential("freqtrade") }),
      },
    }),
    "portfolio-ledger": start({
      command: module("portfolio_ledger"),
      environment: { MESSAGING, DATABASE: database("portfolio-ledger") },
    }),
    reporter: start({
      command: module("reporter"),
      environment: {
        MESSAGING,
        DATABASE: database("reporter"),
        REPORTER: group({
          smtp_host: setting("mail.host"),
          smtp_port: setting("mail.port"),
          report_recipients: setting("mail.recipients"),
          smtp_username: credential("smtp-user"),
          smtp_password: credential("smtp-password"),
          telegram_bot_token: credential("telegram-token"),
          telegram_chat_id: credential("telegram-chat"),
        }),
      },
    }),
    "backtest-engine": {
      command: ["python", "-m", "apps.backtest_engine.src.cli"],
      environment: { RISK },
      // It reads prices from the internet.
      egress: true,
      writable: { "/tmp": { memory: 512 }, [DATA]: { memory: 64 } },
    },
  },
  metrics: [
    // prometheus-fastapi-instrumentator's names; a status such as 5xx is one of the platform's 5.. as well.
    { metric: "http_requests_total", labels: { handler: "path" } },
    { metric: "http_request_duration_seconds", labels: { handler: "path" } },
    {
      services: ["gateway-api"],
      metric: "gateway_http_requests_total",
      as: "http_requests_total",
      labels: { endpoint: "path", handler: "path" },
    },
    {
      services: ["gateway-api"],
      metric: "gateway_request_latency_seconds",
      as: "http_request_duration_seconds",
      labels: { endpoint: "path", handler: "path" },
    },
    // The service that counts an intent has proposed it: the agents by themselves, or the gateway for a person.
    { services: ["llm-agents"], metric: "llm_intents_total", values: { status: { auto: "proposed" } } },
    { services: ["gateway-api"], metric: "llm_intents_total", values: { status: { manual: "proposed" } } },
  ],
  files: ({ symbols }) => ({
    "symbols.yaml": stringify({ symbols: symbols.map(symbolRow) }),
    "feeds.yaml": stringify({
      equities: {
        finnhub: { symbols: symbols.filter((symbol) => !isCrypto(symbol)), resolution: "1", enabled: true },
      },
      crypto: {
        ccxt: {
          exchange: "binance",
          symbols: symbols.filter(isCrypto).map(pair),
          timeframe: "1m",
          enabled: true,
        },
      },
      news: { miniflux: { enabled: true } },
    }),
    "risk.yaml": stringify({
      risk_manager: {
        nav_usd: NAV_USD,
        position_limits: {
          max_pos_pct_nav: riskLimits.max_position_concentration_pct / 100,
          max_sector_pct_nav: riskLimits.max_position_concentration_pct / 100,
          max_order_notional_pct_nav: riskLimits.max_order_value_usd / NAV_USD,
          max_gross_exposure_pct_nav: riskLimits.max_leverage_ratio,
          max_leverage: riskLimits.max_leverage_ratio,
        },
        frequency: { min_order_interval_seconds: 5, max_trades_per_day: 30 },
        drawdown: { daily_loss_limit_pct: riskLimits.max_daily_loss_usd / NAV_USD, max_drawdown_pct: 0.1 },
        volatility: { atr_window: 14, atr_stop_loss_multiple: 3, atr_take_profit_multiple: 1.5, max_spread_bps: 30 },
        calendars: { primary: "NYSE", secondary: "EURONEXT", allow_afterhours: false },
        kill_switch: { enabled: true, storage_file: KILL_SWITCH },
      },
    }),
  }),
};

/** The currencies in which a symbol such as BTC-USD is a pair. */
const QUOTES: Readonly<Record<string, string>> = { USD: "USDT", USDT: "USDT", EUR: "EUR", BTC: "BTC" };

/** Whether a symbol of the stack's config is a pair of currencies, and no share. */
function isCrypto(symbol: string): boolean {
  const [, quote] = symbol.split("-");
  return quote !== undefined && Object.hasOwn(QUOTES, quote);
}

/** BTC-USD as the exchanges' library writes it: BTC/USDT. */
function pair(symbol: string): string {
  const [base = "", quote = ""] = symbol.split("-");
  return `${base}/${QUOTES[quote] ?? quote}`;
}

function symbolRow(symbol: string): object {
  if (!isCrypto(symbol))
    return { symbol, venue: "SMART", sector: "Equity", currency: "USD", min_qty: 1, lot_size: 1, tick_size: 0.01 };
  const name = pair(symbol);
  const currency = name.split("/")[1];
  return {
    ...{ symbol: name, venue: "BINANCE", sector: "Crypto", currency },
    ...{ min_qty: 0.0001, lot_size: 0.0001, tick_size: 0.01 },
  };
}
