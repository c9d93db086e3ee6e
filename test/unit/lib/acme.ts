import { stringify } from "yaml";
import type { Application } from "../../../components/platform/applications/application.ts";
import { refer } from "../../../components/platform/references.ts";

const bus = { ACME_BUS: refer("address", "nats.url") };

/** Acme Trader: each of its programs reads the bus's address, and its other settings from one JSON text. */
export const acme: Application = {
  purpose: "Acme Trader's images, as its repository builds them",
  build: {
    repository: "acme/trader",
    branch: "main",
    context: ".",
    dockerfile: (service) => `docker/${service}/Dockerfile`,
    image: (service) => `acme-${service}`,
  },
  smoke: { token: { path: "/api/v1/orders", expected: [401] } },
  metrics: [{ metric: "acme_requests_total", as: "http_requests_total", labels: { route: "path", code: "status" } }],
  services: {
    "gateway-api": {
      environment: {
        ...bus,
        ACME_AUTH: JSON.stringify({ key: refer("credential", "jwt"), issuer: refer("setting", "url") }),
        ACME_STORE: JSON.stringify({ dsn: refer("address", "postgres.url"), cache: refer("address", "redis.url") }),
      },
      writable: { "/srv/state": { volume: true } },
    },
    "risk-manager": {
      command: ["/srv/acme", "risk", "--limits", "/etc/autollm/limits.yaml"],
      environment: { ...bus, ACME_SIGN: refer("file", "risk-signing-private") },
      writable: { "/srv/state": { volume: "gateway-api" } },
    },
    "llm-agents": {
      environment: { ...bus, ACME_MODEL_KEY: refer("credential", "openai") },
      home: "/home/acme",
      writable: { "/home/acme": { memory: 512 } },
      memory: 3072,
      startPeriod: 120,
    },
    reporter: {
      environment: {
        ...bus,
        ACME_MAIL: JSON.stringify({
          server: refer("setting", "mail.host"),
          to: refer("setting", "mail.recipients"),
          password: refer("credential", "smtp-password"),
        }),
      },
    },
    "backtest-engine": { command: ["/srv/acme", "backtest"], egress: true },
  },
  files: ({ symbols }) => ({
    "limits.yaml": stringify({ order_usd: 5000, instruments: symbols.map((symbol) => symbol.replace("-", "/")) }),
  }),
};
