import { describe, expect, test } from "vitest";
import { ages, overdue } from "../../../tools/lib/rotation.ts";

const NOW = Date.parse("2026-06-30T00:00:00Z");
const resource = (type: string, name: string, created: string) => ({
  type,
  urn: `urn:pulumi:s::autollm::${type}::${name}`,
  created,
});
const password = "random:index/randomPassword:RandomPassword";
const key = "tls:index/privateKey:PrivateKey";

describe("what is due for rotation", () => {
  test("a credential older than 90 days is due, a younger one is not", () => {
    const state = [
      resource(password, "redis-exporter", "2026-03-01T00:00:00Z"),
      resource(password, "vnc", "2026-06-01T00:00:00Z"),
    ];
    expect(overdue(state, NOW)).toEqual(["redis-exporter"]);
  });

  test("a pair and NATS's certificates count once, by their oldest key", () => {
    const state = [
      resource(key, "llm-signing", "2026-01-01T00:00:00Z"),
      resource(key, "nats-tls-key", "2026-06-01T00:00:00Z"),
      resource(key, "nats-tls-ca-key", "2026-01-01T00:00:00Z"),
    ];
    expect(overdue(state, NOW)).toEqual(["llm-signing", "nats-tls"]);
  });

  test("what is no credential has no age", () => {
    const state = [
      resource(password, "caddy-admin-salt", "2020-01-01T00:00:00Z"),
      resource("docker:index/container:Container", "redis", "2020-01-01T00:00:00Z"),
    ];
    expect(ages(state, NOW).size).toBe(0);
  });
});
