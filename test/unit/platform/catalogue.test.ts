import { describe, expect, it } from "vitest";
import { deliveryOf } from "../../../components/credentials/catalogue.ts";
import { fixedCredentials } from "../../../components/credentials/fixed.ts";
import { type ServiceSpec, serviceNames, services } from "../../../components/platform/catalogue.ts";
import { subjectMatches } from "../../../components/platform/subjects.ts";

const entries: readonly (readonly [string, ServiceSpec])[] = serviceNames.map((name) => [name, services[name]]);

describe("the catalogue", () => {
  it("holds the platform's services on their ports", () => {
    const ports = Object.fromEntries(entries.map(([name, { port }]) => [name, port]));
    expect(ports).toMatchObject({
      "gateway-api": 8000,
      "data-ingestor": 8081,
      "news-ingestor": 8084,
      "feature-pipeline": 8085,
      "llm-agents": 8086,
      "risk-manager": 8070,
      "execution-ib": 8071,
      "execution-crypto": 8072,
      "portfolio-ledger": 8073,
      reporter: 8074,
      "backtest-engine": null,
    });
  });

  it("gives each subscribed subject a publisher", () => {
    const published = entries.flatMap(([, { publishes }]) => publishes);
    for (const [name, { subscribes }] of entries) {
      for (const subject of subscribes) {
        expect(
          published.some((pattern) => subjectMatches(pattern, subject)),
          `${name} waits for ${subject}`,
        ).toBe(true);
      }
    }
  });

  it("gives each service a block of addresses of its own", () => {
    const blocks = entries.map(([, { block }]) => block);
    expect(new Set(blocks).size).toBe(blocks.length);
    for (const [name, { block }] of entries) expect(block, name).toBeGreaterThanOrEqual(1);
  });

  it.each(entries)("%s has limits, a reason for its deploy, and a volume when it needs one", (_name, spec) => {
    expect(spec.resources.memory).toBeGreaterThanOrEqual(128);
    expect(spec.resources.pids).toBeGreaterThan(0);
    expect(spec.deploy.why).not.toBe("");
    if (spec.needs.includes("data-volume")) expect(spec.volumes).not.toEqual([]);
    if (spec.volumes.length > 0) expect(spec.deploy.mode).not.toBe("rolling");
  });

  it("never lets two executors, or two deciders, stand side by side", () => {
    for (const name of ["execution-ib", "execution-crypto", "risk-manager"] as const) {
      expect(services[name].deploy.mode).toBe("recreate");
    }
  });

  it("refuses an unknown need, subject type or credential at compile time", () => {
    const wrong: ServiceSpec<"risk-manager"> = {
      ...services["gateway-api"],
      // @ts-expect-error no such service or dependency
      needs: ["risk-manger"],
    };
    const greedy: ServiceSpec = {
      ...services["gateway-api"],
      // @ts-expect-error Grafana's password is not grantable to a service
      credentials: ["grafana-admin"],
    };
    expect([wrong, greedy]).toHaveLength(2);
  });
});

describe("delivery", () => {
  it("knows how each granted credential reaches its service", () => {
    for (const [, { credentials }] of entries) for (const name of credentials) expect(deliveryOf(name)).toBeDefined();
    expect(deliveryOf("nats-risk-manager")).toEqual({ env: "NATS_PASSWORD" });
    expect(deliveryOf("postgres-reporter")).toEqual({ env: "POSTGRES_PASSWORD" });
  });

  it("gives no service the server's own keys", () => {
    for (const name of ["nats-key", "nats-certificate", "grafana-admin", "vnc"] as const) {
      expect(() => deliveryOf(name)).toThrow(/no service may have it/);
    }
  });

  it("uses each environment name and file once", () => {
    const targets = Object.values(fixedCredentials).flatMap((spec) =>
      "delivery" in spec ? ["env" in spec.delivery ? spec.delivery.env : spec.delivery.file] : [],
    );
    expect(targets.length).toBeGreaterThan(20);
    expect(new Set(targets).size).toBe(targets.length);
  });
});
