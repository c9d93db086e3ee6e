import type { CredentialName } from "../credentials/catalogue.ts";
import type { FixedCredentialName } from "../credentials/fixed.ts";

/** Where a container finds what it was granted. The start wrapper reads `SECRET_ENV_DIR`; programs read `SECRET_FILES_DIR` themselves. */
export const SECRET_ENV_DIR = "/run/secrets/env";
export const SECRET_FILES_DIR = "/run/secrets/files";

/** The start wrapper turns the file `SECRET_ENV_DIR/<env>` into the process's environment variable `<env>`. */
export interface EnvDelivery {
  readonly env: string;
  /** Where the value of the previous generation goes while both are valid; absent if the service does not need it. */
  readonly previousEnv?: string;
  /** The variable with the time until which the previous one is accepted, in seconds since 1970. */
  readonly previousUntilEnv?: string;
}

/** The program reads the file `SECRET_FILES_DIR/<file>`, and finds its path in the plain environment variable `<pathEnv>`. */
export interface FileDelivery {
  readonly file: string;
  readonly pathEnv: string;
  readonly previous?: { readonly file: string; readonly pathEnv: string };
}

export type Delivery = EnvDelivery | FileDelivery;

/** How each credential of the fixed table reaches a service. What is not here cannot be granted to a service. */
export const fixedDelivery = {
  // Tokens stay valid until they expire, so the previous key still verifies, until the longest life is over, and never signs.
  jwt: { env: "JWT_SECRET", previousEnv: "JWT_SECRET_PREVIOUS", previousUntilEnv: "JWT_SECRET_PREVIOUS_UNTIL" },

  "llm-signing-private": { file: "llm_signing_private_key", pathEnv: "LLM_SIGNING_PRIVATE_KEY_PATH" },
  // Consumers trust both generations until every producer signs with the new one.
  "llm-signing-public": {
    file: "llm_public_key",
    pathEnv: "LLM_PUBLIC_KEY_PATH",
    previous: { file: "llm_public_key_previous", pathEnv: "LLM_PUBLIC_KEY_PREVIOUS_PATH" },
  },
  "risk-signing-private": { file: "risk_signing_private_key", pathEnv: "RISK_SIGNING_PRIVATE_KEY_PATH" },
  "risk-signing-public": {
    file: "risk_public_key",
    pathEnv: "RISK_PUBLIC_KEY_PATH",
    previous: { file: "risk_public_key_previous", pathEnv: "RISK_PUBLIC_KEY_PREVIOUS_PATH" },
  },

  // One file, which also contains the previous generation's authority until the server's certificate has changed.
  "nats-ca": { file: "nats_ca.pem", pathEnv: "NATS_CA_PATH" },

  openai: { env: "OPENAI_API_KEY" },
  finnhub: { env: "FINNHUB_API_KEY" },
  miniflux: { env: "MINIFLUX_TOKEN" },
  "miniflux-webhook": { env: "MINIFLUX_WEBHOOK_SECRET" },
  "alpaca-news": { env: "ALPACA_NEWS_API_KEY" },
  "ib-account": { env: "IB_ACCOUNT" },
  "binance-key": { env: "BINANCE_API_KEY" },
  "binance-secret": { env: "BINANCE_API_SECRET" },
  "coinbase-key": { env: "COINBASE_API_KEY" },
  "coinbase-secret": { env: "COINBASE_API_SECRET" },
  "coinbase-passphrase": { env: "COINBASE_API_PASSPHRASE" },
  "kraken-key": { env: "KRAKEN_API_KEY" },
  "kraken-secret": { env: "KRAKEN_API_SECRET" },
  freqtrade: { env: "FREQTRADE_TOKEN" },
  "smtp-user": { env: "SMTP_USER" },
  "smtp-password": { env: "SMTP_PASSWORD" },
  "telegram-token": { env: "TELEGRAM_BOT_TOKEN" },
  "telegram-chat": { env: "TELEGRAM_CHAT_ID" },
} as const satisfies Partial<Readonly<Record<FixedCredentialName, Delivery>>>;

/** A credential that a service's entry may ask for: a name that is not here is a type error. */
export type GrantableCredential = keyof typeof fixedDelivery;

/** How a credential reaches a service, the service's own NATS user, Redis user and Postgres role included. */
export function deliveryOf(name: CredentialName): Delivery {
  if (Object.hasOwn(fixedDelivery, name)) return fixedDelivery[name as GrantableCredential];
  if (name.startsWith("nats-") && name !== "nats-key" && name !== "nats-certificate") return { env: "NATS_PASSWORD" };
  if (name.startsWith("redis-")) return { env: "REDIS_PASSWORD" };
  if (name.startsWith("postgres-")) return { env: "POSTGRES_PASSWORD" };
  throw new Error(`${name}: no service may have it; add it to fixedDelivery in components/platform/delivery.ts`);
}
