import { beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { ServiceName, ServiceSpec } from "../../components/platform/catalogue.ts";
import { type Recording, record } from "./lib/mocks.ts";
import { localConfig } from "./lib/platform.ts";

const NAME = "sentiment-scorer";

/** The whole of the work of adding a service: its entry. */
const entry: ServiceSpec<ServiceName> = {
  purpose: "Scores news by sentiment",
  uid: 70_112,
  port: 8090,
  needs: ["postgres", "redis", "nats", "risk-manager", "data-volume"],
  publishes: ["features.snapshot.sentiment"],
  subscribes: ["news.item.created"],
  redis: { keys: ["sentiment:*"], reads: ["market:*"], scripts: true },
  credentials: ["finnhub"],
  readsTablesOf: ["portfolio-ledger"],
  routes: ["/sentiment"],
  deploy: { mode: "recreate", why: "one writer of its volume" },
  block: 12,
  egress: true,
  resources: { memory: 320, cpuShares: 256, pids: 64 },
  volumes: [{ name: "sentiment-cache", path: "/data" }],
};

// The entry joins the table before any other module reads it, as if it stood in the catalogue's source.
vi.mock("../../components/platform/catalogue.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../components/platform/catalogue.ts")>();
  Object.assign(original.services, { [NAME]: entry });
  return { ...original, serviceNames: Object.keys(original.services) };
});

let platform: Recording;
beforeAll(async () => {
  platform = await record(async () => ({ ...(await import("../../index.ts")) }), { config: localConfig });
});

const segments = (name: string) =>
  (platform.container(name).networksAdvanced ?? []).map(({ name: network }) => network.replace("-0123abc", "")).sort();

describe("a twelfth service, as one entry of the catalogue", () => {
  it("runs in a container with its limits, volume and health check", () => {
    expect(platform.container(NAME)).toMatchObject({
      memory: 320,
      cpuShares: 256,
      hostname: `${NAME}-host`,
      readOnly: true,
    });
    expect(platform.container(NAME).healthcheck?.tests).toEqual([
      "CMD",
      "/bin/sh",
      "/run/autollm/health.sh",
      "8090",
      "/health",
    ]);
    expect(platform.container(NAME).mounts).toContainEqual(
      expect.objectContaining({ type: "volume", target: "/data", source: "sentiment-cache-0123abc" }),
    );
    expect(platform.find("docker:index/container:Container", NAME).deleteBeforeReplace).toBe(true);
  });

  it("joins its segments, and reaches the internet since it says so", () => {
    expect(segments(NAME)).toEqual([
      "segment-egress",
      `segment-${NAME}`,
      `segment-${NAME}-calls`,
      `segment-${NAME}-to-risk-manager`,
    ]);
  });

  it("shares its segments with what it needs and with who calls it, and with nobody else", () => {
    const others = (segment: string) =>
      platform.containers.map(([name]) => name).filter((name) => name !== NAME && segments(name).includes(segment));
    expect(others(`segment-${NAME}`).sort()).toEqual(["caddy", "prometheus"]);
    expect(others(`segment-${NAME}-calls`).sort()).toEqual(["nats", "otel-collector", "postgres", "redis"]);
    expect(others(`segment-${NAME}-to-risk-manager`)).toEqual(["risk-manager"]);
  });

  it("has generated credentials of its own, and is granted what it needs and nothing else", () => {
    expect(platform.find("random:index/randomPassword:RandomPassword", `nats-${NAME}`).inputs.length).toBe(33);
    expect(platform.find("random:index/randomBytes:RandomBytes", `postgres-${NAME}`).inputs.length).toBe(16);
    const secrets = Object.keys(platform.files(NAME)).filter((path) => path.startsWith("run-secrets/"));
    expect(secrets.sort()).toEqual([
      "run-secrets/env/NATS_PASSWORD",
      "run-secrets/env/POSTGRES_PASSWORD",
      "run-secrets/env/REDIS_PASSWORD",
      "run-secrets/files/nats_ca.pem",
    ]);
  });

  it("is a user of NATS, with its own subjects and consumer", () => {
    const text = (platform.files("nats").settled ?? "").replace(/^authorization: /, "");
    const { users } = JSON.parse(text) as { users: { user: string; password: string; permissions: unknown }[] };
    const user = users.find((each) => each.user === NAME);
    expect(user?.password).toBe(platform.files(NAME)["run-secrets/env/NATS_PASSWORD"]);
    expect(user?.permissions).toEqual({
      publish: {
        allow: [
          "features.snapshot.sentiment",
          `_INBOX_${NAME}.>`,
          `$JS.API.CONSUMER.INFO.NEWS.${NAME}_news_item_created`,
          `$JS.API.CONSUMER.MSG.NEXT.NEWS.${NAME}_news_item_created`,
          `$JS.ACK.NEWS.${NAME}_news_item_created.>`,
        ],
      },
      subscribe: { allow: ["news.item.created", `_INBOX_${NAME}.>`] },
    });
  });

  it("has a role and a schema in Postgres, and reads the ledger's tables", () => {
    const files = platform.files("postgres");
    expect(files["roles.sql"]).toContain("CREATE SCHEMA IF NOT EXISTS sentiment_scorer");
    expect(files["roles.sql"]).toContain("GRANT SELECT ON ALL TABLES IN SCHEMA portfolio_ledger TO sentiment_scorer;");
    expect(files["roles.sql"]).toContain("ALTER ROLE sentiment_scorer PASSWORD 'SCRAM-SHA-256$4096:");
    expect(platform.container(NAME).envs).toContain("POSTGRES_USER=sentiment_scorer");
  });

  it("has a Redis user that reaches the keys of its entry and no others", () => {
    const line = platform
      .files("redis")
      .settled?.split("\n")
      .find((each) => each.startsWith(`user ${NAME} `));
    expect(line).toContain(" resetchannels ~sentiment:* %R~market:* -@all ");
    expect(line).toContain(" +evalsha ");
    expect(platform.container(NAME).envs).toContain(`REDIS_USERNAME=${NAME}`);
  });

  it("is scraped, and watched by the alert on services that are down", () => {
    const files = platform.files("prometheus");
    const config = parse(files["etc-prometheus/prometheus.yml"] ?? "") as { scrape_configs: { job_name: string }[] };
    expect(config.scrape_configs.find(({ job_name }) => job_name === NAME)).toEqual({
      job_name: NAME,
      dns_sd_configs: [{ names: [NAME], type: "A", port: 8090, refresh_interval: "5s" }],
    });
    expect(files["etc-prometheus/rules.yml"]).toContain(NAME);
  });

  it("is traced, and its lines and its container's figures carry its name", () => {
    const { envs, logOpts } = platform.container(NAME);
    expect(envs).toEqual(
      expect.arrayContaining([`OTEL_SERVICE_NAME=${NAME}`, "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector:4318"]),
    );
    expect(logOpts?.labels?.split(",")).toContain("autollm.service");
    expect(platform.container(NAME).labels).toContainEqual({ label: "autollm.service", value: NAME });
  });

  it("answers at the edge where its entry says", () => {
    const caddyfile = platform.files("caddy").Caddyfile ?? "";
    expect(caddyfile).toContain("path /sentiment/*");
    expect(caddyfile).toContain(`reverse_proxy ${NAME}:8090 {`);
  });

  it("can be released and rotated by the stack's config", async () => {
    const { checkConfig } = await import("../../components/settings.ts");
    const config = {
      "autollm:release": JSON.stringify({ [NAME]: { image: `r/${NAME}@sha256:${"ab".repeat(32)}` } }),
      "autollm:generation": JSON.stringify({ [`nats-${NAME}`]: 2 }),
    };
    expect(checkConfig(config, new Set()).settings.release).toHaveProperty(NAME);
  });

  it("starts after what it needs", () => {
    const place = (name: string) => platform.resources.indexOf(platform.find("docker:index/container:Container", name));
    for (const need of ["postgres", "redis", "nats", "risk-manager"]) expect(place(need)).toBeLessThan(place(NAME));
  });

  it("leaves the others as they are", () => {
    expect(segments("portfolio-ledger")).toEqual(["segment-portfolio-ledger", "segment-portfolio-ledger-calls"]);
    expect(Object.keys(platform.files("reporter")).some((path) => path.includes("sentiment"))).toBe(false);
  });
});
