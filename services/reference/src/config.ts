import { readFileSync } from "node:fs";
import { isServiceName, type ServiceName, type ServiceSpec, services } from "../../../components/platform/catalogue.ts";

/** What this one program can be: a service of the catalogue, or the broker's stand-in. */
export type RoleName = ServiceName | "ib-gateway";

export interface NatsSettings {
  /** host:port */
  readonly server: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  /** PEM texts of the authorities to trust; undefined means the system's. */
  readonly ca: string | undefined;
}

export interface Config {
  readonly role: RoleName;
  /** The role's entry of the catalogue; the broker's stand-in has none. */
  readonly spec: ServiceSpec | undefined;
  readonly environment: string;
  readonly logLevel: string;
  readonly port: number | null;
  readonly live: boolean;
  readonly otlpEndpoint: string | undefined;
  /** Milliseconds between SIGTERM and closing the listener, so that the edge notices first. */
  readonly drainGraceMs: number;
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string | undefined;
    readonly password: string | undefined;
  };
  readonly redis: {
    readonly host: string;
    readonly port: number;
    readonly db: number;
    readonly username: string | undefined;
    readonly password: string | undefined;
  };
  readonly nats: NatsSettings;
  readonly env: Environment;
}

/** A wrong configuration: its message says which variable and how to fix it. */
export class ConfigurationError extends Error {}

/** Typed access to environment variables; an empty one counts as absent. */
export class Environment {
  readonly #source: Readonly<Record<string, string | undefined>>;

  constructor(source: Readonly<Record<string, string | undefined>>) {
    this.#source = source;
  }

  text(name: string): string | undefined {
    const value = this.#source[name];
    return value === undefined || value === "" ? undefined : value;
  }

  number(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (!Number.isFinite(value)) throw new ConfigurationError(`${name} must be a number, not "${text}"`);
    return value;
  }

  list(name: string): readonly string[] {
    return (this.text(name) ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  }

  /** The text of the file that a variable names. */
  file(name: string): string | undefined {
    const path = this.text(name);
    return path === undefined ? undefined : readFileSync(path, "utf8");
  }

  requiredFile(name: string): string {
    const text = this.file(name);
    if (text === undefined) throw new ConfigurationError(`${name} must be set to the path of a file`);
    return text;
  }
}

/** NATS's address, and the login that its URL may carry. */
export function natsSettings(env: Environment): NatsSettings {
  const url = new URL(env.text("NATS_URL") ?? "nats://nats:4222");
  const login = (part: string): string | undefined => (part === "" ? undefined : decodeURIComponent(part));
  const ca = env.file("NATS_CA_PATH");
  return {
    server: `${url.hostname}:${url.port === "" ? "4222" : url.port}`,
    user: env.text("NATS_USER") ?? login(url.username),
    password: env.text("NATS_PASSWORD") ?? login(url.password),
    tls: url.protocol === "tls:" || ca !== undefined,
    ca,
  };
}

/** Where another service answers: its name on the network, unless NAME_URL says otherwise. */
export function peerUrl(env: Environment, peer: ServiceName): string {
  const variable = `${peer.toUpperCase().replaceAll("-", "_")}_URL`;
  return env.text(variable) ?? `http://${peer}:${services[peer].port}`;
}

function roleName(env: Environment): RoleName {
  const name = env.text("SERVICE_ROLE") ?? env.text("OTEL_SERVICE_NAME");
  if (name === undefined)
    throw new ConfigurationError("OTEL_SERVICE_NAME (or SERVICE_ROLE) must name the service to be");
  if (name === "ib-gateway" || isServiceName(name)) return name;
  throw new ConfigurationError(`OTEL_SERVICE_NAME "${name}" is no service of the catalogue`);
}

/** Reads the whole configuration once. Passwords arrive from the start wrapper. */
export function loadConfig(source: Readonly<Record<string, string | undefined>>): Config {
  const env = new Environment(source);
  const role = roleName(env);
  const spec: ServiceSpec | undefined = role === "ib-gateway" ? undefined : services[role];
  const port = env.number("PORT", spec?.port ?? 0);
  return {
    role,
    spec,
    environment: env.text("ENVIRONMENT") ?? "local",
    logLevel: env.text("LOG_LEVEL") ?? "info",
    port: port === 0 ? null : port,
    live: env.text("LIVE") === "1" || env.text("TRADING_MODE") === "live",
    otlpEndpoint: env.text("OTEL_EXPORTER_OTLP_ENDPOINT"),
    drainGraceMs: env.number("DRAIN_GRACE_MS", spec?.deploy.mode === "rolling" ? 2000 : 0),
    postgres: {
      host: env.text("POSTGRES_HOST") ?? "postgres",
      port: env.number("POSTGRES_PORT", 5432),
      database: env.text("POSTGRES_DB") ?? "autollm",
      user: env.text("POSTGRES_USER"),
      password: env.text("POSTGRES_PASSWORD"),
    },
    redis: {
      host: env.text("REDIS_HOST") ?? "redis",
      port: env.number("REDIS_PORT", 6379),
      db: env.number("REDIS_DB", 0),
      username: env.text("REDIS_USERNAME"),
      password: env.text("REDIS_PASSWORD"),
    },
    nats: natsSettings(env),
    env,
  };
}
