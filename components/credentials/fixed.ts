import type { Delivery } from "./delivery.ts";

/** The period after which a credential is due for rotation, in days (platform standard). */
export const ROTATION_DAYS = 90;

/** The longest life of an API token: a key that was replaced verifies for so long, and then opens nothing. */
export const TOKEN_LIFE_HOURS = 24;

/** How a credential reaches a service; one without it cannot be granted to a service. */
interface Granted {
  readonly delivery?: Delivery;
}

/** A random text. `bytes` is its entropy; its length follows from the alphabet. */
export interface PasswordSpec extends Granted {
  readonly kind: "password";
  readonly bytes: number;
  readonly alphabet: "alphanumeric" | "hex";
  readonly rotationDays: number;
  /** How long a rotation leaves the old value in force beside the new one; absent means not at all. */
  readonly overlap?: "while-readers-move" | "while-tokens-live";
  readonly purpose: string;
}

/**
 * A permanent random text that is made once: it opens what was encrypted before, so a new value is never made automatically.
 * To change it, supply another.
 */
export interface LastingSpec extends Granted {
  readonly kind: "permanent";
  readonly bytes: number;
  readonly alphabet: "alphanumeric" | "hex";
  readonly purpose: string;
}

/** One half of an ed25519 pair, as base64 of the 32-byte seed or public key (RFC 8032). */
export interface SigningKeySpec extends Granted {
  readonly kind: "signing-private" | "signing-public";
  readonly pair: "llm-signing" | "risk-signing";
  readonly rotationDays: number;
  readonly purpose: string;
}

/** A PEM text of the platform's own certificate authority for NATS. */
export interface TlsSpec extends Granted {
  readonly kind: "tls-ca" | "tls-certificate" | "tls-key";
  readonly rotationDays: number;
  readonly purpose: string;
}

/** Known only to the owner. */
export interface SuppliedSpec extends Granted {
  readonly kind: "supplied";
  /** When the stack refuses to run without it: with real money, or in every environment but local. */
  readonly required: "live" | "outside-local" | "never";
  /** The exchange at which it trades, if it can: without live trading it reaches no container, unless it is declared to be of that exchange's sandbox. */
  readonly tradesAt?: Exchange;
  readonly purpose: string;
}

/** The exchanges at which a key alone is enough to trade; at Interactive Brokers the gateway's mode decides (components/broker). */
export const exchanges = ["binance", "coinbase", "kraken", "freqtrade"] as const;

export type Exchange = (typeof exchanges)[number];

export type CredentialSpec = PasswordSpec | LastingSpec | SigningKeySpec | TlsSpec | SuppliedSpec;

const password = (
  bytes: number,
  alphabet: PasswordSpec["alphabet"],
  purpose: string,
  overlap?: PasswordSpec["overlap"],
): PasswordSpec => ({
  kind: "password",
  bytes,
  alphabet,
  rotationDays: ROTATION_DAYS,
  purpose,
  ...(overlap === undefined ? {} : { overlap }),
});
const signing = (pair: SigningKeySpec["pair"], half: SigningKeySpec["kind"], purpose: string): SigningKeySpec => ({
  kind: half,
  pair,
  rotationDays: ROTATION_DAYS,
  purpose,
});
const tls = (kind: TlsSpec["kind"], purpose: string): TlsSpec => ({ kind, rotationDays: ROTATION_DAYS, purpose });
const supplied = (purpose: string, required: SuppliedSpec["required"] = "never"): SuppliedSpec => ({
  kind: "supplied",
  required,
  purpose,
});

const exchangeKey = (purpose: string, tradesAt: Exchange): SuppliedSpec => ({ ...supplied(purpose), tradesAt });

/** A credential that a service's entry may ask for, and where the service finds it. */
const granted = <const D extends Delivery, S extends CredentialSpec>(delivery: D, spec: S) => ({ ...spec, delivery });
/** The same, in an environment variable. */
const inEnv = <S extends CredentialSpec>(env: string, spec: S) => granted({ env }, spec);

/**
 * Every credential but those that follow from the services' catalogue: each service's own NATS user, Redis user and Postgres role.
 * The key is the credential's name in the catalogue, in `generation` and, when the owner supplies it, in the stack's config.
 */
export const fixedCredentials = {
  "grafana-admin": password(32, "alphanumeric", "Grafana's administrator"),
  "grafana-secret": {
    kind: "permanent",
    bytes: 32,
    alphabet: "alphanumeric",
    purpose: "encrypts what Grafana stores, and hashes its sessions",
  },
  vnc: password(12, "alphanumeric", "IB Gateway's VNC screen; the protocol uses 8 characters of it"),
  // A token is valid until it expires, so the previous key still verifies until then, and never signs.
  jwt: granted(
    { env: "JWT_SECRET", previousEnv: "JWT_SECRET_PREVIOUS", previousUntilEnv: "JWT_SECRET_PREVIOUS_UNTIL" },
    password(32, "hex", "signs the API's tokens", "while-tokens-live"),
  ),
  "caddy-admin": password(24, "alphanumeric", "login of the admin pages at the edge"),
  "postgres-exporter": password(16, "hex", "Postgres role of the metrics exporter"),
  "postgres-backup": password(16, "hex", "Postgres role of the backup"),
  "postgres-wal-archive": password(16, "hex", "Postgres role of the WAL archive, which may replicate and nothing else"),
  "redis-exporter": password(
    24,
    "alphanumeric",
    "Redis user of the metrics exporter, which may ask for figures and no key",
    "while-readers-move",
  ),
  "redis-edge-limiter": password(
    24,
    "alphanumeric",
    "Redis user of the edge's limiter, which reads and writes its own counts and nothing else",
    "while-readers-move",
  ),
  "redis-backup": password(
    24,
    "alphanumeric",
    "Redis user of the backup, which may copy the data set and nothing else",
  ),
  "nats-streams": password(
    24,
    "alphanumeric",
    "NATS user of the stream keeper, which may create and change the platform's streams and nothing else",
  ),
  "nats-backup": password(24, "alphanumeric", "NATS user of the backup, which may take snapshots and nothing else"),
  "backup-key": {
    kind: "permanent",
    bytes: 32,
    alphabet: "alphanumeric",
    purpose: "opens the repository of the backups; keep a copy off the host",
  },

  // Consumers trust both generations until every producer signs with the new one.
  "llm-signing-private": granted(
    { file: "llm_signing_private_key", pathEnv: "LLM_SIGNING_PRIVATE_KEY_PATH" },
    signing("llm-signing", "signing-private", "signs the agents' intents"),
  ),
  "llm-signing-public": granted(
    {
      file: "llm_public_key",
      pathEnv: "LLM_PUBLIC_KEY_PATH",
      previous: { file: "llm_public_key_previous", pathEnv: "LLM_PUBLIC_KEY_PREVIOUS_PATH" },
    },
    signing("llm-signing", "signing-public", "verifies the agents' intents"),
  ),
  "risk-signing-private": granted(
    { file: "risk_signing_private_key", pathEnv: "RISK_SIGNING_PRIVATE_KEY_PATH" },
    signing("risk-signing", "signing-private", "signs approved orders"),
  ),
  "risk-signing-public": granted(
    {
      file: "risk_public_key",
      pathEnv: "RISK_PUBLIC_KEY_PATH",
      previous: { file: "risk_public_key_previous", pathEnv: "RISK_PUBLIC_KEY_PREVIOUS_PATH" },
    },
    signing("risk-signing", "signing-public", "verifies approved orders"),
  ),

  // One file, which also contains the previous generation's authority until the server's certificate has changed.
  "nats-ca": granted(
    { file: "nats_ca.pem", pathEnv: "NATS_CA_PATH" },
    tls("tls-ca", "certificate of the authority that clients of NATS trust"),
  ),
  "nats-certificate": tls("tls-certificate", "NATS's own certificate"),
  "nats-key": tls("tls-key", "NATS's private key"),

  openai: inEnv("OPENAI_API_KEY", supplied("OpenAI API key", "live")),
  finnhub: inEnv("FINNHUB_API_KEY", supplied("Finnhub API key")),
  miniflux: inEnv("MINIFLUX_TOKEN", supplied("Miniflux token")),
  "miniflux-webhook": inEnv("MINIFLUX_WEBHOOK_SECRET", supplied("secret by which Miniflux's webhook is known")),
  "alpaca-news": inEnv("ALPACA_NEWS_API_KEY", supplied("Alpaca news API key")),
  "ib-account": inEnv("IB_ACCOUNT", supplied("Interactive Brokers account id", "live")),
  "tws-userid": supplied("Interactive Brokers login", "outside-local"),
  "tws-password": supplied("Interactive Brokers password", "outside-local"),
  "binance-key": inEnv("BINANCE_API_KEY", exchangeKey("Binance API key", "binance")),
  "binance-secret": inEnv("BINANCE_API_SECRET", exchangeKey("Binance API secret", "binance")),
  "coinbase-key": inEnv("COINBASE_API_KEY", exchangeKey("Coinbase API key", "coinbase")),
  "coinbase-secret": inEnv("COINBASE_API_SECRET", exchangeKey("Coinbase API secret", "coinbase")),
  "coinbase-passphrase": inEnv("COINBASE_API_PASSPHRASE", exchangeKey("Coinbase API passphrase", "coinbase")),
  "kraken-key": inEnv("KRAKEN_API_KEY", exchangeKey("Kraken API key", "kraken")),
  "kraken-secret": inEnv("KRAKEN_API_SECRET", exchangeKey("Kraken API secret", "kraken")),
  freqtrade: inEnv("FREQTRADE_TOKEN", exchangeKey("Freqtrade token", "freqtrade")),
  "smtp-user": inEnv("SMTP_USER", supplied("SMTP login")),
  "smtp-password": inEnv("SMTP_PASSWORD", supplied("SMTP password")),
  "telegram-token": inEnv("TELEGRAM_BOT_TOKEN", supplied("Telegram bot token")),
  "telegram-chat": inEnv("TELEGRAM_CHAT_ID", supplied("Telegram chat id")),
  "slack-webhook": supplied("Slack webhook URL"),
  "pagerduty-key": supplied("PagerDuty routing key"),
  "heartbeat-url": supplied("URL of a watcher elsewhere that raises the alarm when the heartbeat stays away"),
  "backup-key-previous": supplied("the former backup-key, while the repository changes over to a new one"),
  "s3-access-key": supplied("S3 access key of the backups"),
  "s3-secret-key": supplied("S3 secret key of the backups"),
} as const satisfies Readonly<Record<string, CredentialSpec>>;

export type FixedCredentialName = keyof typeof fixedCredentials;

/** A credential that a service's entry may ask for: any other name is a type error. */
export type GrantableCredential = {
  [Name in FixedCredentialName]: (typeof fixedCredentials)[Name] extends { readonly delivery: Delivery } ? Name : never;
}[FixedCredentialName];
