/** The period after which a credential is due for rotation, in days (platform standard). */
export const ROTATION_DAYS = 90;

/** The longest life of an API token: a key that was replaced verifies for so long, and then opens nothing. */
export const TOKEN_LIFE_HOURS = 24;

/** A random text. `bytes` is its entropy; its length follows from the alphabet. */
export interface PasswordSpec {
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
export interface LastingSpec {
  readonly kind: "permanent";
  readonly bytes: number;
  readonly alphabet: "alphanumeric" | "hex";
  readonly purpose: string;
}

/** One half of an ed25519 pair, as base64 of the 32-byte seed or public key (RFC 8032). */
export interface SigningKeySpec {
  readonly kind: "signing-private" | "signing-public";
  readonly pair: "llm-signing" | "risk-signing";
  readonly rotationDays: number;
  readonly purpose: string;
}

/** A PEM text of the platform's own certificate authority for NATS. */
export interface TlsSpec {
  readonly kind: "tls-ca" | "tls-certificate" | "tls-key";
  readonly rotationDays: number;
  readonly purpose: string;
}

/** Known only to the owner. */
export interface SuppliedSpec {
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
  // A token is valid until it expires, so the previous key still verifies.
  jwt: password(32, "hex", "signs the API's tokens", "while-tokens-live"),
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

  "llm-signing-private": signing("llm-signing", "signing-private", "signs the agents' intents"),
  "llm-signing-public": signing("llm-signing", "signing-public", "verifies the agents' intents"),
  "risk-signing-private": signing("risk-signing", "signing-private", "signs approved orders"),
  "risk-signing-public": signing("risk-signing", "signing-public", "verifies approved orders"),

  "nats-ca": tls("tls-ca", "certificate of the authority that clients of NATS trust"),
  "nats-certificate": tls("tls-certificate", "NATS's own certificate"),
  "nats-key": tls("tls-key", "NATS's private key"),

  openai: supplied("OpenAI API key", "live"),
  finnhub: supplied("Finnhub API key"),
  miniflux: supplied("Miniflux token"),
  "miniflux-webhook": supplied("secret by which Miniflux's webhook is known"),
  "alpaca-news": supplied("Alpaca news API key"),
  "ib-account": supplied("Interactive Brokers account id", "live"),
  "tws-userid": supplied("Interactive Brokers login", "outside-local"),
  "tws-password": supplied("Interactive Brokers password", "outside-local"),
  "binance-key": exchangeKey("Binance API key", "binance"),
  "binance-secret": exchangeKey("Binance API secret", "binance"),
  "coinbase-key": exchangeKey("Coinbase API key", "coinbase"),
  "coinbase-secret": exchangeKey("Coinbase API secret", "coinbase"),
  "coinbase-passphrase": exchangeKey("Coinbase API passphrase", "coinbase"),
  "kraken-key": exchangeKey("Kraken API key", "kraken"),
  "kraken-secret": exchangeKey("Kraken API secret", "kraken"),
  freqtrade: exchangeKey("Freqtrade token", "freqtrade"),
  "smtp-user": supplied("SMTP login"),
  "smtp-password": supplied("SMTP password"),
  "telegram-token": supplied("Telegram bot token"),
  "telegram-chat": supplied("Telegram chat id"),
  "slack-webhook": supplied("Slack webhook URL"),
  "pagerduty-key": supplied("PagerDuty routing key"),
  "heartbeat-url": supplied("URL of a watcher elsewhere that raises the alarm when the sign of life stays away"),
  "backup-key-previous": supplied("the former backup-key, while the repository changes over to a new one"),
  "s3-access-key": supplied("S3 access key of the backups"),
  "s3-secret-key": supplied("S3 secret key of the backups"),
} as const satisfies Readonly<Record<string, CredentialSpec>>;

export type FixedCredentialName = keyof typeof fixedCredentials;
