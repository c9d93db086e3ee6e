import { type CredentialName, serviceNeeds } from "../../components/credentials/catalogue.ts";
import { fixedCredentials } from "../../components/credentials/fixed.ts";
import { suppliedFault } from "../../components/credentials/supplied.ts";
import { type AdoptedSetting, recipientsOf, settingFault } from "../../components/outside.ts";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { type EnvVariable, readEnvFile } from "./dotenv.ts";

/**
 * What an old variable becomes: a credential of the stack, the same value for several, or the content of the file that it names;
 * or a plain setting, where it is no secret.
 */
type Target =
  | { readonly credentials: readonly CredentialName[]; readonly file?: true }
  | { readonly setting: AdoptedSetting };

const plainly = (setting: AdoptedSetting): Target => ({ setting });
const one = (name: CredentialName): Target => ({ credentials: [name] });
const keyFile = (name: CredentialName): Target => ({ credentials: [name], file: true });

/** What the services are given as a variable is called as it was. */
const delivered = Object.entries(fixedCredentials).flatMap(([name, spec]) =>
  "delivery" in spec && "env" in spec.delivery ? [[spec.delivery.env, one(name as CredentialName)] as const] : [],
);

/** The variables of the old installation that hold a secret, by what they become. */
export const adoptable: Readonly<Record<string, Target>> = {
  ...Object.fromEntries(delivered),
  // The old database had one role for all; each service's own role begins with its password.
  POSTGRES_PASSWORD: {
    credentials: serviceNames
      .filter((service) => serviceNeeds(service, "postgres"))
      .map((service) => `postgres-${service}` as const),
  },
  GF_SECURITY_ADMIN_PASSWORD: one("grafana-admin"),
  VNC_SERVER_PASSWORD: one("vnc"),
  VNC_PASSWORD: one("vnc"),
  TWS_USERID: one("tws-userid"),
  TWS_PASSWORD: one("tws-password"),
  IB_USERID: one("tws-userid"),
  IB_PASSWORD: one("tws-password"),
  SMTP_USERNAME: one("smtp-user"),
  MINIFLUX_API_TOKEN: one("miniflux"),
  FREQTRADE_API_TOKEN: one("freqtrade"),
  LLM_SIGNING_PRIVATE_KEY_PATH: keyFile("llm-signing-private"),
  RISK_SIGNING_PRIVATE_KEY_PATH: keyFile("risk-signing-private"),
  SLACK_WEBHOOK_URL: one("slack-webhook"),
  PAGERDUTY_ROUTING_KEY: one("pagerduty-key"),
  PAGERDUTY_SERVICE_KEY: one("pagerduty-key"),
  SMTP_HOST: plainly("mail.host"),
  SMTP_PORT: plainly("mail.port"),
  REPORT_RECIPIENTS: plainly("mail.recipients"),
  FREQTRADE_HOST: plainly("freqtradeHost"),
  AWS_ACCESS_KEY_ID: one("s3-access-key"),
  AWS_SECRET_ACCESS_KEY: one("s3-secret-key"),
};

/**
 * The old application's settings that come in groups, each a JSON text under the group's name: what a member is called where it
 * stands by itself. Any other member is `GROUP.member`, as it is where the old application never read it by itself.
 */
export const groups: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  AUTH: { jwt_secret: "JWT_SECRET" },
  DATABASE: {
    host: "POSTGRES_HOST",
    port: "POSTGRES_PORT",
    database: "POSTGRES_DB",
    user: "POSTGRES_USER",
    password: "POSTGRES_PASSWORD",
  },
  DUCKDB: { path: "DUCKDB_PATH", parquet_root: "PARQUET_ROOT" },
  MESSAGING: { nats_url: "NATS_URL" },
  BROKERS: {
    ib_host: "IB_HOST",
    ib_port: "IB_PORT",
    ib_client_id: "IB_CLIENT_ID",
    ib_account: "IB_ACCOUNT",
    live_flag: "LIVE",
    freqtrade_host: "FREQTRADE_HOST",
    freqtrade_token: "FREQTRADE_API_TOKEN",
  },
  SECRETS: {
    llm_signing_private_key_path: "LLM_SIGNING_PRIVATE_KEY_PATH",
    risk_signing_private_key_path: "RISK_SIGNING_PRIVATE_KEY_PATH",
    llm_public_key_path: "LLM_PUBLIC_KEY_PATH",
    risk_public_key_path: "RISK_PUBLIC_KEY_PATH",
  },
  REPORTER: {
    smtp_host: "SMTP_HOST",
    smtp_port: "SMTP_PORT",
    smtp_username: "SMTP_USERNAME",
    smtp_password: "SMTP_PASSWORD",
    report_recipients: "REPORT_RECIPIENTS",
    telegram_bot_token: "TELEGRAM_BOT_TOKEN",
    telegram_chat_id: "TELEGRAM_CHAT_ID",
  },
};

const PARTS = "made from the parts, with each service's own user and password";
const KEYS = "follows from the private key";
const PAPER = "a stack trades on paper until trading.live and trading.liveConfirm are set";
const OF_CONFIG = (key: string) => `is no secret: \`${key}\` of the stack's config has its place`;
const PROGRAM = "is set by the stack's program";
const CHOICE = "is the application's own choice: `release.llm-agents.environment.LLM` has its place";

/** Why a variable is not taken, where more is to be said than that nothing here reads it. */
export const notTaken: Readonly<Record<string, string>> = {
  LIVE: PAPER,
  TRADING_MODE: PAPER,
  REDIS_PASSWORD: "each service has a Redis user of its own, and the stack makes their passwords",
  REDIS_USERNAME: "each service has a Redis user of its own",
  REDIS_URL: PARTS,
  NATS_URL: PARTS,
  DATABASE_URL: "made from the parts; its password is POSTGRES_PASSWORD's",
  LLM_PUBLIC_KEY_PATH: KEYS,
  RISK_PUBLIC_KEY_PATH: KEYS,
  LLM: CHOICE,
  "AUTH.webauthn_origin": "follows from `domain` of the stack's config",
  LOG_LEVEL: OF_CONFIG("logLevel"),
  ENVIRONMENT: "the stack's name says it",
  ...Object.fromEntries(
    [
      ...["TIMEZONE", "TZ", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_TLS_ENABLED", "KILL_SWITCH_FILE"],
      ...["POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "DUCKDB", "DUCKDB_PATH", "PARQUET_ROOT"],
      ...["IB_HOST", "IB_PORT", "IB_CLIENT_ID", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "RISK"],
      ...["RISK_CONFIG", "SYMBOLS_CONFIG", "FEEDS_CONFIG", "BROKERS.ib_enabled"],
    ].map((name) => [name, PROGRAM]),
  ),
};

export interface Taken {
  readonly variable: string;
  readonly credential: CredentialName;
  readonly value: string;
}

/** A plain setting, by its key in the stack's config. */
export interface TakenSetting {
  readonly variable: string;
  readonly setting: AdoptedSetting;
  /** One value, or those of a list. */
  readonly values: readonly string[];
}

export interface Adoption {
  readonly taken: readonly Taken[];
  readonly settings: readonly TakenSetting[];
  /** Variables that nothing was made of, each with the reason. */
  readonly ignored: readonly { readonly variable: string; readonly why: string }[];
  /** What must be fixed before anything is taken. No value is part of it. */
  readonly faults: readonly string[];
}

const FIX =
  "put a strong value into the old installation first, or take the line out and let the stack make or lack it";

/**
 * Reads an old installation's variables.
 * @param text the file's text, as docker compose reads env files
 * @param readFile answers the text of a file that a variable names, or undefined
 */
export function adoption(text: string, readFile: (path: string) => string | undefined): Adoption {
  const { variables, faults: unread } = readEnvFile(text);
  const taken: Taken[] = [];
  const settings: TakenSetting[] = [];
  const ignored: { variable: string; why: string }[] = [];
  const faults = [...unread];
  for (const { variable, plain, line, value: given, unclear } of variables.flatMap(membersOf)) {
    const fault = (what: string) => void faults.push(`line ${line}: ${variable}: ${what}`);
    const target = adoptable[plain];
    if (target === undefined) {
      if (plain !== variable && unclear !== undefined) fault(unclear);
      else ignored.push({ variable, why: notTaken[plain] ?? "nothing here reads it" });
      continue;
    }
    if (given === undefined) {
      fault(unclear ?? "has no value");
      continue;
    }
    if (given.trim() === "") {
      ignored.push({ variable, why: "is empty" });
      continue;
    }
    if ("setting" in target) {
      const { setting } = target;
      const wrong = settingFault(setting, given.trim());
      const values = setting === "mail.recipients" ? recipientsOf(given) : [given.trim()];
      const rival = settings.find((each) => each.setting === setting);
      if (wrong !== undefined) fault(`${wrong}; correct the line, or take it out`);
      else if (rival === undefined) settings.push({ variable, setting, values });
      else if (rival.values.join() !== values.join())
        fault(`says another ${setting} than ${rival.variable}; take one of them out`);
      continue;
    }
    if (given !== given.trim() || given.includes("\0")) {
      fault(`begins or ends with white space, or has a NUL, which no credential keeps here; ${FIX}`);
      continue;
    }
    const value = target.file === true ? readFile(given)?.trim() : given;
    if (value === undefined) {
      fault("names a file that cannot be read: fix the path, or take the line out");
      continue;
    }
    const found = new Set(target.credentials.map((credential) => suppliedFault(credential, value)));
    found.delete(undefined);
    for (const each of found) fault(`${each}; ${FIX}`);
    if (found.size > 0) continue;
    for (const credential of target.credentials) {
      const rival = taken.find((each) => each.credential === credential);
      if (rival === undefined) taken.push({ variable, credential, value });
      else if (rival.value !== value) fault(`says another ${credential} than ${rival.variable}; take one of them out`);
    }
  }
  return { taken, settings, ignored, faults };
}

/** A variable as it is told, and what it is called where it stands by itself. */
interface Named extends Omit<EnvVariable, "name"> {
  readonly variable: string;
  readonly plain: string;
}

/** A variable, or the members of a group of settings. */
function membersOf({ name, ...variable }: EnvVariable): readonly Named[] {
  const members = Object.hasOwn(groups, name) ? groups[name] : undefined;
  const whole = { ...variable, variable: name };
  if (members === undefined) return [{ ...whole, plain: name }];
  // A group that cannot be read: a name that no table has, so that it is told and not taken.
  const unread = (unclear: string) => [{ ...whole, plain: `${name}{}`, value: undefined, unclear }];
  if (variable.value === undefined) return unread(variable.unclear ?? "has no value");
  if (variable.value === "") return [];
  let object: unknown;
  try {
    object = JSON.parse(variable.value);
  } catch {
    object = undefined;
  }
  if (typeof object !== "object" || object === null || Array.isArray(object))
    return unread("is no JSON object, as the old application read it");
  return Object.entries(object).flatMap(([member, content]: [string, unknown]) => {
    if (content === null) return [];
    const plain = Object.hasOwn(members, member) ? (members[member] ?? "") : `${name}.${member}`;
    const value = Array.isArray(content) ? content.join(",") : String(content);
    return [{ ...whole, variable: `${name}.${member}`, plain, value }];
  });
}
