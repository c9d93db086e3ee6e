import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type CredentialName,
  credentialNames,
  credentialSpec,
  credentials,
  isCredentialName,
  rotationUnit,
  rotationUnits,
  serviceNeeds,
  tradesAt,
} from "../../../components/credentials/catalogue.ts";
import { fixedCredentials, type PasswordSpec, ROTATION_DAYS } from "../../../components/credentials/fixed.ts";
import { grantedTo, readers, readersOf } from "../../../components/credentials/grants.ts";
import { passwordLength, publicKeyOf, rawKeyPair } from "../../../components/credentials/keys.ts";
import { type ServiceName, serviceNames } from "../../../components/platform/catalogue.ts";
import { pem } from "../lib/values.ts";

const spec = (name: CredentialName) => credentialSpec(name);

describe("the catalogue of credentials", () => {
  it.each<[CredentialName, PasswordSpec["bytes"], PasswordSpec["alphabet"]]>([
    ["grafana-admin", 32, "alphanumeric"],
    ["vnc", 12, "alphanumeric"],
    ["redis-gateway-api", 24, "alphanumeric"],
    ["redis-exporter", 24, "alphanumeric"],
    ["redis-backup", 24, "alphanumeric"],
    ["postgres-gateway-api", 16, "hex"],
    ["postgres-portfolio-ledger", 16, "hex"],
    ["postgres-reporter", 16, "hex"],
    ["postgres-exporter", 16, "hex"],
    ["postgres-backup", 16, "hex"],
    ["jwt", 32, "hex"],
  ])("generates %s from %d bytes, %s", (name, bytes, alphabet) => {
    expect(spec(name)).toMatchObject({ kind: "password", bytes, alphabet });
  });

  it("has a NATS user for each service on NATS, the backup and the stream keeper, and none for the batch job", () => {
    const users = credentialNames.filter((name) => /^nats-(?!ca$|certificate$|key$)/.test(name));
    const services = serviceNames.filter((name) => name !== "backtest-engine");
    expect(users).toEqual(["streams", "backup", ...services].map((name) => `nats-${name}`));
  });

  it("has a Redis user for each service that needs Redis, for the exporter, the edge's limiter and the backup, and none for all", () => {
    const users = credentialNames.filter((name) => name.startsWith("redis"));
    const services = serviceNames.filter((name) => serviceNeeds(name, "redis"));
    expect(users).toEqual(["exporter", "edge-limiter", "backup", ...services].map((name) => `redis-${name}`));
  });

  it.each(["llm-signing-private", "llm-signing-public", "risk-signing-private", "risk-signing-public"] as const)(
    "makes the key %s",
    (name) => expect(spec(name).kind).toBe(name.endsWith("private") ? "signing-private" : "signing-public"),
  );

  it.each(["nats-ca", "nats-certificate", "nats-key"] as const)("makes %s", (name) => {
    expect(spec(name).kind).toBe(name.replace("nats", "tls"));
  });

  it.each<CredentialName>([
    "openai",
    "finnhub",
    "miniflux",
    "alpaca-news",
    "ib-account",
    "tws-userid",
    "tws-password",
    "binance-key",
    "binance-secret",
    "coinbase-key",
    "coinbase-secret",
    "coinbase-passphrase",
    "kraken-key",
    "kraken-secret",
    "freqtrade",
    "smtp-user",
    "smtp-password",
    "telegram-token",
    "telegram-chat",
    "slack-webhook",
    "pagerduty-key",
    "heartbeat-url",
  ])("leaves %s to the owner", (name) => expect(spec(name).kind).toBe("supplied"));

  it("rotates every generated credential after 90 days, except those that encrypt permanent data, and says what each is for", () => {
    expect(ROTATION_DAYS).toBe(90);
    for (const each of Object.values(credentials)) {
      expect(each.purpose).not.toBe("");
      const permanent = each === credentials["backup-key"] || each === credentials["grafana-secret"];
      expect("rotationDays" in each || each.kind === "supplied" || permanent).toBe(true);
      if ("rotationDays" in each) expect(each.rotationDays).toBe(90);
    }
  });

  it("knows its names from others", () => {
    expect(isCredentialName("redis-risk-manager")).toBe(true);
    for (const name of [
      "toString",
      "redis",
      "redis-reporter",
      "nats-backtest-engine",
      "postgres-data-ingestor",
      "constructor",
    ]) {
      expect(isCredentialName(name)).toBe(false);
    }
    expect(() => spec("nats-backtest-engine")).toThrow(/not in the catalogue of credentials/);
  });
});

describe("rotation units", () => {
  it("rotate the halves of a pair, and an authority with its certificate, together", () => {
    for (const half of ["private", "public"] as const) expect(rotationUnit(`llm-signing-${half}`)).toBe("llm-signing");
    for (const part of ["ca", "certificate", "key"] as const) expect(rotationUnit(`nats-${part}`)).toBe("nats-tls");
    expect(rotationUnit("nats-risk-manager")).toBe("nats-risk-manager");
  });

  it("cover every generated credential, and neither those that are supplied nor the key of the backups", () => {
    for (const name of credentialNames) {
      expect(rotationUnits.includes(rotationUnit(name)), name).toBe(
        !["supplied", "permanent"].includes(spec(name).kind),
      );
    }
    expect(new Set(rotationUnits).size).toBe(rotationUnits.length);
  });
});

describe("grants", () => {
  it.each<[string, readonly string[]]>([
    [
      "gateway-api",
      ["jwt", "miniflux-webhook", "nats-ca", "nats-gateway-api", "postgres-gateway-api", "redis-gateway-api"],
    ],
    ["data-ingestor", ["finnhub", "nats-ca", "nats-data-ingestor", "redis-data-ingestor"]],
    ["news-ingestor", ["alpaca-news", "miniflux", "miniflux-webhook", "nats-ca", "nats-news-ingestor"]],
    ["feature-pipeline", ["nats-ca", "nats-feature-pipeline"]],
    ["llm-agents", ["llm-signing-private", "nats-ca", "nats-llm-agents", "openai"]],
    [
      "risk-manager",
      ["llm-signing-public", "nats-ca", "nats-risk-manager", "redis-risk-manager", "risk-signing-private"],
    ],
    ["execution-ib", ["ib-account", "nats-ca", "nats-execution-ib", "risk-signing-public"]],
    ["portfolio-ledger", ["nats-ca", "nats-portfolio-ledger", "postgres-portfolio-ledger"]],
    ["backtest-engine", []],
    ["grafana", ["grafana-admin", "grafana-secret"]],
    ["caddy", ["caddy-admin"]],
    ["redis", credentialNames.filter((name) => name.startsWith("redis-")).sort()],
    ["redis-exporter", ["redis-exporter"]],
    ["nats-streams", ["nats-ca", "nats-streams"]],
    [
      "backup",
      [
        ...["backup-key", "backup-key-previous", "nats-backup", "nats-ca", "postgres-backup", "redis-backup"],
        ...["s3-access-key", "s3-secret-key"],
      ],
    ],
    ["somebody-else", []],
  ])("%s may read exactly what it needs", (reader, names) => expect([...grantedTo(reader)].sort()).toEqual(names));

  it("give the exchanges' keys to the crypto executor alone", () => {
    const exchanges = credentialNames.filter((name) => /^(binance|coinbase|kraken|freqtrade)/.test(name));
    expect(exchanges).toHaveLength(8);
    expect(exchanges.every((name) => tradesAt(name) !== undefined)).toBe(true);
    for (const name of exchanges) expect(readersOf(name)).toEqual(["execution-crypto"]);
  });

  it("keep each private key with the one that signs", () => {
    expect(readersOf("llm-signing-private")).toEqual(["llm-agents"]);
    expect(readersOf("risk-signing-private")).toEqual(["risk-manager"]);
    expect(readersOf("risk-signing-public")).toEqual(["execution-ib", "execution-crypto"]);
    expect(readersOf("nats-key")).toEqual(["nats"]);
  });

  it.each(serviceNames)("give %s no other service's user or role", (service) => {
    const foreign = serviceNames
      .filter((other) => other !== service)
      .flatMap((other) => [`nats-${other}`, `postgres-${other}`]);
    expect(grantedTo(service).filter((name) => foreign.includes(name))).toEqual([]);
  });

  it("name no credential that does not exist, and leave none that is generated without a reader", () => {
    for (const reader of readers) for (const name of grantedTo(reader)) expect(isCredentialName(name)).toBe(true);
    for (const name of credentialNames.filter((each) => spec(each).kind !== "supplied")) {
      expect(readersOf(name), name).not.toEqual([]);
    }
  });

  it("allow a service's entry only names of the catalogue", () => {
    expectTypeOf<CredentialName>().toExtend<string>();
    expectTypeOf<`nats-${ServiceName}`>().toExtend<CredentialName>();
    // @ts-expect-error no credential has this name
    const unknown: CredentialName = "rediss";
    expect(Object.keys(fixedCredentials)).not.toContain(unknown);
  });
});

describe("the length of a generated password", () => {
  const sizes = { hex: 16, alphanumeric: 62 } as const;
  const specs = Object.entries(credentials).filter(
    (entry): entry is [string, PasswordSpec] => entry[1].kind === "password",
  );
  it.each(specs)("%s holds the entropy of its bytes", (_, { bytes, alphabet }) => {
    const bits = passwordLength(bytes, alphabet) * Math.log2(sizes[alphabet]);
    expect(bits).toBeGreaterThanOrEqual(bytes * 8);
    expect(bits).toBeLessThan(bytes * 8 + Math.log2(sizes[alphabet]));
  });
});

describe("ed25519 keys as the services read them", () => {
  const message = Buffer.from("BUY 1 BTC-USD");
  const fromRaw = (publicKey: string): KeyObject =>
    createPublicKey({
      format: "jwk",
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey, "base64").toString("base64url") },
    });

  it("are the base64 of 32 bytes each, and verify what the PEM key signs", () => {
    const key = pem("ED25519");
    const { privateSeed, publicKey } = rawKeyPair(key);
    expect(Buffer.from(privateSeed, "base64")).toHaveLength(32);
    expect(Buffer.from(publicKey, "base64")).toHaveLength(32);
    expect(verify(null, message, fromRaw(publicKey), sign(null, message, key))).toBe(true);
    expect(verify(null, Buffer.from("BUY 9 BTC-USD"), fromRaw(publicKey), sign(null, message, key))).toBe(false);
  });

  it("let the public half of a supplied seed be derived", () => {
    const { privateSeed, publicKey } = rawKeyPair(pem("ED25519"));
    expect(publicKeyOf(privateSeed)).toBe(publicKey);
  });

  it("are refused where they are something else", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "pem", type: "pkcs1" });
    expect(() => publicKeyOf(Buffer.alloc(31).toString("base64"))).toThrow();
    expect(() => rawKeyPair("no key")).toThrow();
    expect(() => rawKeyPair(pem("ECDSA"))).toThrow(/ed25519/);
    expect(() => rawKeyPair(rsa.toString())).toThrow(/ed25519/);
  });
});
