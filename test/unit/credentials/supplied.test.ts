import { createHash, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type CredentialName, credentialNames, credentialSpec } from "../../../components/credentials/catalogue.ts";
import { rawKeyPair } from "../../../components/credentials/keys.ts";
import { suppliedFault } from "../../../components/credentials/supplied.ts";
import { ConfigError, checkConfig } from "../../../components/settings.ts";
import { isDefaultSecret } from "../../../components/strength/defaults.ts";
import { weakness } from "../../../components/strength/weak.ts";
import { ownNames } from "../../../components/strength/words.ts";
import { pem, randomText } from "../lib/values.ts";

const OWN = ownNames("trade.bototo-lab.example.com");
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");
const hashed = (algorithm: string, text: string) => createHash(algorithm).update(text);

/** The credentials whose value is a secret to guess, and neither a key of a fixed form nor a name or place. */
const guessed = credentialNames.filter((name) => {
  const { kind } = credentialSpec(name);
  const public_ = /account|userid|user$|chat|webhook|url$/.test(name) && !name.startsWith("nats-");
  return ["password", "permanent", "supplied"].includes(kind) && !public_;
});

const DEFAULTS = ["changeme", "admin", "password", "devredis", "autollm123", "your_finnhub_key", "secret", "123456"];

/** What somebody does to a known default to get it past a rule about passwords. */
const DISGUISES: Readonly<Record<string, (word: string) => string>> = {
  "as it is": (word) => word,
  "in capitals": (word) => word.toUpperCase(),
  "with blanks around it": (word) => `  ${word}\n`,
  twice: (word) => word + word,
  "three times with hyphens": (word) => [word, word, word].join("-"),
  backwards: (word) => [...word].reverse().join(""),
  "with a year": (word) => `${word}2026`,
  "with a year and a sign": (word) => `${word}@2026!`,
  "with digits before and after it": (word) => `123${word}456`,
  "in leet": (word) =>
    word.replace(/[aeiost]/g, (letter) => ({ a: "4", e: "3", i: "1", o: "0", s: "$", t: "7" })[letter] ?? letter),
  "in Cyrillic letters": (word) =>
    word.replace(/[aeop]/g, (letter) => ({ a: "а", e: "е", o: "о", p: "р" })[letter] ?? letter),
  "in base64": base64,
  "in base64 of base64": (word) => base64(base64(word)),
  "in hex": (word) => Buffer.from(word).toString("hex"),
  "percent-encoded": (word) => [...Buffer.from(word)].map((byte) => `%${byte.toString(16)}`).join(""),
  "as its MD5": (word) => hashed("md5", word).digest("hex"),
  "as its MD5 with a newline": (word) => hashed("md5", `${word}\n`).digest("hex"),
  "as its SHA-1": (word) => hashed("sha1", word).digest("hex").toUpperCase(),
  "as its SHA-256": (word) => hashed("sha256", word).digest("hex"),
  "as its SHA-256 in base64": (word) => hashed("sha256", word).digest("base64"),
  "as its SHA-256 in base64 for URLs": (word) => hashed("sha256", word).digest("base64url"),
  "as its SHA-512": (word) => hashed("sha512", word).digest("hex"),
  "as the beginning of its SHA-512": (word) => hashed("sha512", word).digest("hex").slice(0, 32),
  "as its SHA-256 in base64 of hex": (word) => base64(hashed("sha256", word).digest("hex")),
  "as its SHA-256 with a label": (word) => `sha256:${hashed("sha256", word).digest("hex")}`,
};

describe.each(Object.entries(DISGUISES))("a known default %s", (_, disguise) => {
  it.each(DEFAULTS)("%s is refused for every credential", (word) => {
    const value = disguise(word);
    // One name of each kind: they are judged alike.
    for (const name of [
      "caddy-admin",
      "redis-risk-manager",
      "jwt",
      "vnc",
      "backup-key",
      "openai",
      "smtp-password",
    ] as const) {
      const fault = suppliedFault(name, value, OWN);
      expect.soft(fault, `${name}: ${value}`).toBeDefined();
      expect(fault ?? "").not.toContain(value);
    }
  });
});

it("no credential of the catalogue takes a known default", () => {
  for (const name of credentialNames) {
    for (const value of ["changeme", "your_finnhub_key", "eDemo", "demouser"]) {
      expect.soft(suppliedFault(name, value), `${name} ${value}`).toBeDefined();
    }
  }
  for (const name of guessed) expect.soft(suppliedFault(name, "admin"), name).toBeDefined();
});

describe("what is no secret is refused as one", () => {
  it.each([
    ["the stack's domain", "trade.bototo-lab.example.com"],
    ["a part of its domain with digits", "bototo2026"],
    ["two parts with digits around them", "99bototo-lab99"],
    ["the nil UUID", "00000000-0000-0000-0000-000000000000"],
    ["the last UUID", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ["a UUID of one digit", "11111111-1111-1111-1111-111111111111"],
    ["a UUID of digits in their order", "12345678-1234-1234-1234-123456789012"],
    ["a UUID from a manual", "123e4567-e89b-12d3-a456-426614174000"],
    ["zeros in hex", "0".repeat(64)],
    ["ones in hex", "ff".repeat(32)],
    ["hex digits in their order", "0123456789abcdef".repeat(2)],
    ["hex digits backwards", "fedcba9876543210".repeat(2)],
    ["a word of hex", "deadbeef".repeat(4)],
    ["two words of hex", "deadbeefcafebabe"],
    ["zeros in base64", base64(Buffer.alloc(32))],
    ["ones in base64", base64(Buffer.alloc(32, 0xff))],
    ["bytes in their order in base64", base64(Buffer.from([...Array(32).keys()]))],
    ["the hash of nothing", hashed("sha256", "").digest("hex")],
    ["the hash of the domain", hashed("sha256", OWN.join(".")).digest("hex")],
    ["a row of the keyboard", "qwertyuiopasdfgh"],
    ["a walk over the keyboard", "1qaz2wsx3edc4rfv"],
    ["words in leet, joined", "Ch4ng3M3Adm1n2026P4ssw0rd"],
    ["the object store's default", "minioadmin"],
    ["one letter", "x".repeat(40)],
    ["one letter and another", `${"x".repeat(63)}q`],
    ["a few signs again and again", "k7$k7$k7$k7$k7$k7$"],
  ])("%s", (_, value) => {
    expect(suppliedFault("caddy-admin", value, OWN), value).toBeDefined();
    expect(suppliedFault("miniflux", value, OWN), value).toBeDefined();
  });

  it("a signing key of a standard's examples, of zeros, or of a default's hash", () => {
    const rfc8032 = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    const seeds = [rfc8032, Buffer.alloc(32), hashed("sha256", "changeme").digest()];
    for (const seed of seeds) expect(suppliedFault("llm-signing-private", base64(seed))).toBe("is a known default");
    expect(suppliedFault("llm-signing-private", randomText(44))).toBe("is no base64 of a 32-byte ed25519 seed");
  });

  it("a value that is weaker than the one that the stack would make", () => {
    expect(suppliedFault("redis-risk-manager", randomText(16))).toMatch(/fewer than 128 bits/);
    expect(suppliedFault("jwt", randomBytes(12).toString("hex"))).toMatch(/fewer than 128 bits/);
    expect(suppliedFault("openai", randomText(24))).toBeUndefined();
  });
});

describe("names and places are no passwords", () => {
  it.each<[CredentialName, string]>([
    ["ib-account", "U7654321"],
    ["ib-account", "DU99"],
    ["tws-userid", "trader77x"],
    ["smtp-user", "admin"],
    ["smtp-user", "me@trade.bototo-lab.example.com"],
    ["telegram-chat", "-1001234567890"],
    ["telegram-chat", "42"],
    ["slack-webhook", `https://hooks.slack.com/services/T0000/B0000/${randomText(24)}`],
    ["heartbeat-url", `https://h.example/${randomUUID()}`],
    ["heartbeat-url", "http://10.0.0.7/"],
  ])("%s may be short or plain: %s", (name, value) => expect(suppliedFault(name, value, OWN)).toBeUndefined());

  it.each<[CredentialName, string]>([
    ["ib-account", "changeme"],
    ["ib-account", "your_account_key"],
    ["tws-userid", "edemo"],
    ["tws-userid", "DemoUser"],
    ["smtp-user", "XXXX"],
    ["telegram-chat", "000000"],
    ["slack-webhook", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"],
    ["slack-webhook", "https://hooks.slack.com/services/your-webhook-key"],
    ["heartbeat-url", "https://h.example/00000000-0000-0000-0000-000000000000"],
    ["heartbeat-url", "changeme"],
  ])("%s is refused where it stands for none: %s", (name, value) => {
    expect(suppliedFault(name, value, OWN)).toBe("is a known default");
  });
});

describe("random values are let through", { timeout: 120_000 }, () => {
  const seed = () =>
    rawKeyPair(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  // Eight characters are few enough to hold a word by chance, if seldom: the same values at each run.
  let drawn = 0;
  const sample = () => {
    const drop = hashed("sha512", `sample ${drawn++}`).digest("base64");
    return drop.replace(/[^A-Za-z0-9]/g, "").slice(0, 17);
  };
  const made: Readonly<Record<string, readonly [CredentialName, () => string]>> = {
    "16 bytes in hex": ["postgres-exporter", () => randomBytes(16).toString("hex")],
    "16 bytes in capital hex": ["redis-risk-manager", () => randomBytes(16).toString("hex").toUpperCase()],
    "32 bytes in hex": ["jwt", () => randomBytes(32).toString("hex")],
    "24 bytes in base64": ["caddy-admin", () => randomBytes(24).toString("base64")],
    "24 bytes in base64 for URLs": ["grafana-admin", () => randomBytes(24).toString("base64url")],
    "32 bytes in base64": ["backup-key", () => randomBytes(32).toString("base64")],
    "33 letters and digits": ["redis-risk-manager", () => randomText(33)],
    "43 letters and digits": ["grafana-admin", () => randomText(43)],
    "17 letters and digits, for VNC": ["vnc", () => sample()],
    "a signing seed": ["risk-signing-private", () => randomBytes(32).toString("base64")],
    "a UUID": ["miniflux", () => randomUUID()],
    "an API key": ["openai", () => `sk-proj-${randomBytes(48).toString("base64url")}`],
    "a bot's token": ["telegram-token", () => `1234567890:${randomText(35)}`],
    "an access key": ["s3-access-key", () => `AKIA${randomText(16).toUpperCase()}`],
  };
  it.each(Object.entries(made))("%s, three thousand times", (_, [name, make]) => {
    const estimated = name === "miniflux" || name === "s3-access-key" ? 3 : 50;
    for (let round = 0; round < 3000; round++) {
      const value = make();
      expect(isDefaultSecret(value, OWN), `${name} takes ${value.length} characters`).toBe(false);
      // Guessing is estimated for some of them only: it takes a hundred times as long.
      if (round < estimated) expect(suppliedFault(name, value, OWN), name).toBeUndefined();
    }
  });

  it("one of half a million, whose few letters are in words", () => {
    expect(isDefaultSecret("6596451d661b692d801b8257d8980614", OWN)).toBe(false);
  });

  it("keys and certificates of the forms that the stack makes", () => {
    const { privateSeed, publicKey } = seed();
    expect(suppliedFault("llm-signing-private", privateSeed)).toBeUndefined();
    expect(suppliedFault("llm-signing-public", publicKey)).toBeUndefined();
    expect(suppliedFault("nats-key", pem("ECDSA"))).toBeUndefined();
    expect(suppliedFault("nats-key", randomText(40))).toBe("is no private key in PEM");
    expect(suppliedFault("nats-ca", randomText(40))).toBe("is no certificate in PEM");
  });
});

describe("the config check", () => {
  const check = (values: Readonly<Record<string, string | undefined>>, stack?: string) => {
    const config = Object.entries(values).map(([key, value]) => [`autollm:${key}`, value] as const);
    const secrets = new Set(config.map(([key]) => key));
    try {
      checkConfig(Object.fromEntries(config), secrets, stack);
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };

  it("names each weak value with a command that works on that stack, and what the stack can make is left to it", () => {
    expect(check({ "caddy-admin": "changeme", finnhub: "your_finnhub_key" }, "trial")).toEqual([
      "caddy-admin: is a known default; let the stack make one: ./autollm pulumi config rm caddy-admin --stack trial; or set a random one of your own: ./autollm pulumi config set --secret caddy-admin --stack trial",
      "finnhub: is a known default; set the real one: ./autollm pulumi config set --secret finnhub --stack trial",
    ]);
  });

  it("knows the stack's own domain", () => {
    const value = "Quintalvera-2026-Osmarth-77";
    expect(check({ domain: "quintalvera.osmarth.net", "caddy-admin": value })[0]).toMatch(/^caddy-admin: is a known/);
    expect(check({ domain: "trader.example.com", "caddy-admin": value })).toEqual([]);
  });

  it("passes over what was not decrypted", () => expect(check({ "caddy-admin": undefined })).toEqual([]));

  it("takes no public key without the private one that it belongs to", () => {
    const [one, other] = [0, 1].map(() => {
      const { privateKey } = generateKeyPairSync("ed25519");
      return rawKeyPair(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    });
    const pair = (seed: string, key: string) => check({ "llm-signing-private": seed, "llm-signing-public": key });
    expect(pair(one?.privateSeed ?? "", one?.publicKey ?? "")).toEqual([]);
    expect(pair(one?.privateSeed ?? "", other?.publicKey ?? "")[0]).toMatch(/does not belong to llm-signing-private/);
    expect(check({ "llm-signing-public": one?.publicKey ?? "" })[0]).toMatch(/supplied without llm-signing-private/);
  });
});

it("a weakness never holds the value", () => {
  for (const value of ["letmein2026", "Tr4ding-desk", "00000000-0000-0000-0000-000000000000"])
    expect(weakness({ name: "redis", value })).not.toContain(value);
});
