import { type CredentialName, serviceNeeds } from "../credentials/catalogue.ts";
import { grantedTo } from "../credentials/grants.ts";
import { POSTGRES_DATABASE } from "../data/postgresRoles.ts";
import { storeUser } from "../data/slotUser.ts";
import { listenHosts, nameIn, serviceSeats } from "../segments.ts";
import type { Settings } from "../settings.ts";
import { type ServiceName, type ServiceSpec, services, underscored } from "./catalogue.ts";
import { OTLP_ENDPOINT } from "./otlp.ts";

/** Where the services find their YAML files. */
const CONFIG_DIR = "/etc/autollm";

const isGranted = (service: ServiceName, name: CredentialName) => grantedTo(service).includes(name);

/** A service's environment: the variables that it needs, and never a secret. */
export function serviceEnvironment(service: ServiceName, settings: Settings, ibPort: number): Record<string, string> {
  const entry: ServiceSpec = services[service];
  const needs = (part: string) => serviceNeeds(service, part);
  const { mail, freqtradeHost } = settings;
  const outside = {
    ...(isGranted(service, "smtp-user")
      ? { SMTP_HOST: mail.host, SMTP_PORT: mail.port?.toString(), REPORT_RECIPIENTS: mail.recipients?.join(",") }
      : {}),
    ...(isGranted(service, "freqtrade") ? { FREQTRADE_HOST: freqtradeHost === "" ? undefined : freqtradeHost } : {}),
  };
  return {
    ENVIRONMENT: settings.environment,
    LOG_LEVEL: settings.logLevel,
    TZ: "UTC",
    LIVE: settings.trading.live ? "1" : "0",
    OTEL_SERVICE_NAME: service,
    ...(entry.port === null ? {} : { HTTP_LISTEN: listenHosts(service, serviceSeats(service).serves).join() }),
    ...(entry.port !== null ? { OTEL_EXPORTER_OTLP_ENDPOINT: OTLP_ENDPOINT } : {}),
    SYMBOLS_CONFIG: `${CONFIG_DIR}/symbols.yaml`,
    FEEDS_CONFIG: `${CONFIG_DIR}/feeds.yaml`,
    RISK_CONFIG: `${CONFIG_DIR}/risk.yaml`,
    ...(needs("nats") ? { NATS_URL: "tls://nats:4222", NATS_USER: storeUser("nats", service, settings) } : {}),
    ...(needs("redis")
      ? {
          REDIS_HOST: "redis",
          REDIS_PORT: "6379",
          REDIS_DB: "0",
          REDIS_USERNAME: storeUser("redis", service, settings),
        }
      : {}),
    ...(needs("postgres")
      ? {
          POSTGRES_HOST: "postgres",
          POSTGRES_PORT: "5432",
          POSTGRES_DB: POSTGRES_DATABASE,
          POSTGRES_USER: underscored(service),
        }
      : {}),
    ...(needs("ib-gateway")
      ? {
          IB_HOST: "ib-gateway",
          IB_PORT: String(ibPort),
          IB_CLIENT_ID: "1",
        }
      : {}),
    ...(needs("data-volume")
      ? { KILL_SWITCH_FILE: "/data/kill-switch", DUCKDB_PATH: "/data/features.duckdb", PARQUET_ROOT: "/data/parquet" }
      : {}),
    // If the config sets nothing, the program's own default counts.
    ...Object.fromEntries(
      Object.entries(outside).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    // Only the edge may say which client a request is from.
    ...(entry.routes === undefined ? {} : { TRUSTED_PROXY: nameIn("caddy", service) }),
  };
}
