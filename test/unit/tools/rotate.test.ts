import { describe, expect, test } from "vitest";
import { rotationUnits } from "../../../components/credentials/catalogue.ts";
import {
  generationsOf,
  overlapHours,
  overlapSteps,
  overlapUnits,
  stepAfter,
  updatesOf,
} from "../../../components/credentials/overlap.ts";
import { slotName, withoutSlot } from "../../../components/credentials/slots.ts";
import { slotUser } from "../../../components/data/slotUser.ts";
import { checkConfig } from "../../../components/settings.ts";
import { beginning, raised, readRotationConfig, runningAges } from "../../../tools/lib/rollover.ts";
import { ages } from "../../../tools/lib/rotation.ts";

const config = (generation: object = {}, overlap: object = {}, more: object = {}) =>
  readRotationConfig({
    "autollm:generation": { value: generation },
    "autollm:overlap": { value: overlap },
    ...more,
  });

describe("the steps of a rotation", () => {
  test("keys are first accepted, then used; all else is done in one run of pulumi up", () => {
    for (const unit of ["llm-signing", "risk-signing", "nats-tls"])
      expect(overlapSteps(unit)).toEqual(["accept", "present"]);
    for (const unit of ["redis-exporter", "nats-reporter", "grafana-admin", "postgres-reporter", "caddy-admin", "vnc"])
      expect(overlapSteps(unit)).toEqual([]);
    expect(overlapSteps("jwt")).toEqual(["present"]);
    expect(overlapUnits.filter((unit) => overlapHours(unit) !== undefined)).toEqual(["jwt"]);
    expect(["vnc", "jwt", "nats-tls"].map(updatesOf)).toEqual([1, 1, 3]);
    expect(overlapUnits.every((unit) => rotationUnits.includes(unit))).toBe(true);
  });

  test("end after the last", () => {
    expect(stepAfter("nats-tls", "accept")).toBe("present");
    expect(stepAfter("nats-tls", "present")).toBeUndefined();
  });

  test("say which generations are in force", () => {
    expect(generationsOf("vnc", 4, undefined)).toEqual({ newest: 4, previous: undefined, presented: 4 });
    expect(generationsOf("redis-exporter", 4, undefined)).toEqual({ newest: 4, previous: 3, presented: 4 });
    expect(generationsOf("nats-tls", 4, "accept")).toEqual({ newest: 4, previous: 3, presented: 3 });
    expect(generationsOf("jwt", 4, "present")).toEqual({ newest: 4, previous: 3, presented: 4 });
    expect(generationsOf("jwt", 4, undefined)).toEqual({ newest: 4, previous: undefined, presented: 4 });
  });
});

describe("the slots of two generations", () => {
  test("take turns, and the name of both can be told", () => {
    expect([1, 2, 3].map((generation) => slotName("redis", generation))).toEqual(["redis", "redis-even", "redis"]);
    expect(withoutSlot("redis-even")).toBe("redis");
    expect(withoutSlot("nats-tls-even-ca-key")).toBe("nats-tls-ca-key");
    for (const unit of rotationUnits) expect(withoutSlot(unit)).toBe(unit);
  });

  test("make two users of a service: NATS knows one password per user, and Redis ends the sessions of a user that is removed", () => {
    expect(slotUser("reporter", 1)).toBe("reporter");
    expect(slotUser("reporter", 2)).not.toBe("reporter");
    expect(slotUser("reporter", 3)).toBe("reporter");
  });

  test("do not make a credential older than its newest generation", () => {
    const type = "random:index/randomBytes:RandomBytes";
    const state = [
      { type, urn: `urn:pulumi:s::autollm::${type}::jwt`, created: "2026-01-01T00:00:00Z" },
      { type, urn: `urn:pulumi:s::autollm::${type}::jwt-even`, created: "2026-06-01T00:00:00Z" },
    ];
    expect(ages(state, Date.parse("2026-06-11T00:00:00Z"))).toEqual(new Map([["jwt", 10]]));
  });
});

describe("what a rotation writes into the config", () => {
  test("raises each generation by one", () => {
    expect(
      Object.fromEntries(raised(["redis-exporter", "vnc", "nats-tls"], config({ "redis-exporter": 4 }), false)),
    ).toEqual({
      "generation.redis-exporter": "5",
      "generation.vnc": "2",
      "generation.nats-tls": "2",
    });
  });

  test("changes a value that the owner supplied at once", () => {
    const pinned = config(
      {},
      {},
      { "autollm:redis-exporter": {}, "autollm:openai": {}, "autollm:llm-signing-private": {} },
    );
    expect([...pinned.pinned.keys()]).toEqual(["redis-exporter", "llm-signing"]);
    const running = new Map([["llm-signing", 1]]);
    const raisedByHand = { ...pinned, generation: { "llm-signing": 2 } };
    expect(beginning(raisedByHand, running).size).toBe(0);
    expect(beginning({ ...raisedByHand, pinned: new Map() }, running).size).toBe(1);
  });

  test("begins an overlap if a generation is one above the running one, by a command or by hand", () => {
    const running = new Map([
      ["nats-tls", 1],
      ["llm-signing", 2],
      ["risk-signing", 1],
    ]);
    const raisedByHand = config({ "nats-tls": 2, "llm-signing": 2, "risk-signing": 3, "redis-exporter": 2 });
    expect(Object.fromEntries(beginning(raisedByHand, running))).toEqual({ "overlap.nats-tls": "accept" });
    expect(beginning(raisedByHand, new Map()).size).toBe(0);
    expect(beginning(config({ "nats-tls": 2 }, { "nats-tls": "present" }), running).size).toBe(0);
  });

  test("knows what runs from the state", () => {
    const urn = "urn:pulumi:s::autollm::autollm:credentials:CredentialAges$command:local:Command::credential-ages";
    const component = "urn:pulumi:s::autollm::autollm:credentials:CredentialAges::credential-ages";
    const state = [{ urn: component }, { urn, outputs: { stdout: "redis 3 90 1700000000\njwt 1 90 1700000000" } }];
    expect(runningAges(state).map(({ unit, generation }) => [unit, generation])).toEqual([
      ["redis", 3],
      ["jwt", 1],
    ]);
    expect(runningAges([])).toEqual([]);
  });

  test("is taken by the program, for every credential", () => {
    const raw: Record<string, Record<string, unknown>> = { generation: {}, overlap: {} };
    for (const [path, value] of raised(rotationUnits, config(), true)) {
      const [table = "", unit = ""] = path.split(".");
      const entries = raw[table];
      if (entries !== undefined) entries[unit] = table === "generation" ? Number(value) : value;
    }
    const texts = Object.entries(raw).map(([key, value]) => [`autollm:${key}`, JSON.stringify(value)]);
    expect(() => checkConfig(Object.fromEntries(texts), new Set())).not.toThrow();
  });

  test("reads back what is unfinished, and passes over what it does not know", () => {
    const { overlap, generation } = config(
      { redis: 2, vnc: "two" },
      { "nats-tls": "present", vnc: "present", jwt: "x" },
    );
    expect(overlap).toEqual({ "nats-tls": "present" });
    expect(generation).toEqual({ redis: 2 });
  });
});
