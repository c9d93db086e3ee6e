import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { type CredentialName, credentialNames, credentialSpec } from "../../../components/credentials/catalogue.ts";
import { Credentials } from "../../../components/credentials/credentials.ts";
import { credentialFiles } from "../../../components/credentials/files.ts";
import { grantedTo, readersOf } from "../../../components/credentials/grants.ts";
import { publicKeyOf, rawKeyPair } from "../../../components/credentials/keys.ts";
import type { OverlapStep } from "../../../components/credentials/overlap.ts";
import { type Recording, record } from "../lib/mocks.ts";
import { pem, randomText } from "../lib/values.ts";

const PASSWORD = "random:index/randomPassword:RandomPassword";
const BYTES = "random:index/randomBytes:RandomBytes";
const KEY = "tls:index/privateKey:PrivateKey";

interface Run extends Recording {
  /** Value by name, as its first reader gets it. */
  readonly values: ReadonlyMap<CredentialName, { readonly value: string; readonly secret: boolean }>;
  readonly credentials: Credentials;
}

async function run(
  generation: Readonly<Record<string, number>> = {},
  supplied: ReadonlyMap<CredentialName, string> = new Map(),
  overlap: Readonly<Record<string, OverlapStep>> = {},
): Promise<Run> {
  const recording = await record(() => ({
    credentials: new Credentials("credentials", {
      generation,
      overlap,
      supplied: new Map([...supplied].map(([name, value]) => [name, pulumi.secret(value)])),
    }),
  }));
  const { credentials } = recording.result;
  const values = new Map<CredentialName, { value: string; secret: boolean }>();
  for (const name of credentialNames) {
    const [reader] = readersOf(name);
    const output = reader === undefined ? undefined : credentials.read(reader, name);
    if (output === undefined) continue;
    const value = await new Promise<string>((resolve) => {
      output.apply(resolve);
    });
    values.set(name, { value, secret: await pulumi.isSecret(output) });
  }
  return Object.assign(recording, { values, credentials });
}

let first: Run;
beforeAll(async () => {
  first = await run();
});

const generated = credentialNames.filter((name) => credentialSpec(name).kind !== "supplied");

describe("generated credentials", () => {
  it("are all there without any config, and every one is secret", () => {
    expect([...first.values.keys()].sort()).toEqual([...generated].sort());
    for (const [name, { secret }] of first.values) expect(secret, name).toBe(true);
  });

  it("differ from each other", () => {
    expect(new Set([...first.values.values()].map(({ value }) => value)).size).toBe(first.values.size);
  });

  it("have the length that their entropy needs", () => {
    expect(first.find(PASSWORD, "grafana-admin").inputs).toMatchObject({ length: 43, special: false });
    expect(first.find(BYTES, "jwt").inputs).toMatchObject({ length: 32 });
    expect(first.values.get("jwt")?.value).toMatch(/^[0-9a-f]{64}$/);
  });

  it("come in matching pairs", () => {
    for (const pair of ["llm-signing", "risk-signing"] as const) {
      const seed = first.values.get(`${pair}-private`)?.value ?? "";
      expect(publicKeyOf(seed)).toBe(first.values.get(`${pair}-public`)?.value);
    }
  });

  it("include a NATS certificate for the name that clients use, good for longer than a rotation period", () => {
    const { inputs } = first.find("tls:index/certRequest:CertRequest", "nats-tls-request");
    expect(inputs).toMatchObject({ dnsNames: ["nats", "localhost"], subject: { commonName: "nats" } });
    const certificate = first.find("tls:index/locallySignedCert:LocallySignedCert", "nats-tls-certificate").inputs;
    expect(Number(certificate.validityPeriodHours) - Number(certificate.earlyRenewalHours)).toBeGreaterThan(90 * 24);
  });
});

/** What makes values: name to what they depend on, so that a difference means another value. */
const makers = (of: Run): Map<string, string> =>
  new Map(
    [PASSWORD, BYTES, KEY]
      .flatMap((type) => of.ofType(type))
      .map(({ name, inputs, replacementTrigger }) => [name, JSON.stringify([inputs.keepers, replacementTrigger])]),
  );
const added = (before: Run, after: Run) => [...makers(after).keys()].filter((name) => !makers(before).has(name)).sort();
const gone = (before: Run, after: Run) => added(after, before);
const changed = (before: Run, after: Run) =>
  [...makers(after)]
    .filter(([name, value]) => makers(before).has(name) && makers(before).get(name) !== value)
    .map(([name]) => name)
    .sort();

describe("a raised generation", () => {
  it.each([
    ["postgres-reporter", ["postgres-reporter-even"], ["postgres-reporter"]],
    ["llm-signing", ["llm-signing-even"], ["llm-signing"]],
    ["nats-tls", ["nats-tls-even-ca-key", "nats-tls-even-key"], ["nats-tls-ca-key", "nats-tls-key"]],
    ["jwt", ["jwt-even"], ["jwt"]],
    // The value before is still taken by a server, until its readers have moved.
    ["redis-gateway-api", ["redis-gateway-api-even"], []],
    ["nats-risk-manager", ["nats-risk-manager-even"], []],
  ])(
    "of %s makes a new value in the other slot, removes the old one, and touches nothing else",
    async (unit, made, lost) => {
      const after = await run({ [unit]: 2 });
      expect(added(first, after)).toEqual(made);
      expect(gone(first, after)).toEqual(lost);
      expect(changed(first, after)).toEqual([]);
    },
  );

  it("of 3 takes the first slot again, with another value than generation 1", async () => {
    const after = await run({ "redis-gateway-api": 3, jwt: 3 });
    expect(changed(first, after)).toEqual(["jwt", "redis-gateway-api"]);
    expect(added(first, after)).toEqual(["redis-gateway-api-even"]);
  });

  it("leaves the previous value unchanged, while both are in force", async () => {
    const overlap = { jwt: "present" } as const;
    const of = (generation: number) => run({ jwt: generation, "redis-exporter": generation }, new Map(), overlap);
    const [before, after] = [await of(2), await of(3)];
    for (const name of ["jwt-even", "redis-exporter-even"])
      expect(makers(after).get(name)).toBe(makers(before).get(name));
  });

  it("of 1 is the default: writing it down changes nothing", async () => {
    const after = await run({ "redis-exporter": 1, "nats-tls": 1, "llm-signing": 1, jwt: 1 });
    expect([...changed(first, after), ...added(first, after), ...gone(first, after)]).toEqual([]);
  });
});

describe("an overlap", () => {
  const text = (output: pulumi.Output<string> | undefined) =>
    new Promise<string | undefined>((resolve) => {
      if (output === undefined) resolve(undefined);
      else output.apply(resolve);
    });
  const read = ({ credentials }: Run, reader: string, name: CredentialName) => text(credentials.read(reader, name));
  const previous = ({ credentials }: Run, reader: string, name: CredentialName) =>
    text(credentials.previous(reader, name));

  it("is there for what needs it, and for nothing else", async () => {
    const settled = await run({ "redis-gateway-api": 2, jwt: 2, "llm-signing": 2, "postgres-reporter": 2 });
    expect(await previous(settled, "postgres", "postgres-reporter")).toBeUndefined();
    expect(await previous(settled, "risk-manager", "llm-signing-public")).toBeUndefined();
    expect(await previous(settled, "gateway-api", "jwt")).toBeUndefined();
    expect(await previous(settled, "redis", "redis-gateway-api")).toHaveLength(33);
    expect(await read(settled, "redis", "redis-gateway-api")).not.toBe(
      await previous(settled, "redis", "redis-gateway-api"),
    );
  });

  it("of the tokens' key has an end, which is passed to the program that verifies them", async () => {
    const overlapping = await run({ jwt: 2 }, new Map(), { jwt: "present" });
    expect(await previous(overlapping, "gateway-api", "jwt")).toMatch(/^[0-9a-f]{64}$/);
    const { inputs } = overlapping.find("command:local:Command", "jwt-previous-until");
    expect(inputs).toMatchObject({ create: "echo $(($(date +%s) + 86400))", triggers: ["2"] });
    expect(overlapping.credentials.previousUntil("gateway-api", "jwt")).toBeDefined();
    expect(first.credentials.previousUntil("gateway-api", "jwt")).toBeUndefined();
  });

  it("lets verifiers accept a new key before any service signs with it", async () => {
    const accept = await run({ "risk-signing": 2 }, new Map(), { "risk-signing": "accept" });
    const signer = (await read(accept, "risk-manager", "risk-signing-private")) ?? "";
    expect(publicKeyOf(signer)).toBe(await previous(accept, "execution-ib", "risk-signing-public"));
    const present = await run({ "risk-signing": 2 }, new Map(), { "risk-signing": "present" });
    const moved = (await read(present, "risk-manager", "risk-signing-private")) ?? "";
    expect(publicKeyOf(moved)).toBe(await read(present, "execution-ib", "risk-signing-public"));
    expect(publicKeyOf(moved)).not.toBe(await previous(present, "execution-ib", "risk-signing-public"));
  });

  it("lets clients trust NATS's new authority while NATS still shows the old certificate", async () => {
    const accept = await run({ "nats-tls": 2 }, new Map(), { "nats-tls": "accept" });
    const [served, before] = [await read(accept, "nats", "nats-ca"), await previous(accept, "nats", "nats-ca")];
    expect(served).toBe(before);
    for (const client of ["reporter", "backup"]) {
      const trusted = (await read(accept, client, "nats-ca")) ?? "";
      expect(trusted.endsWith(before ?? "missing")).toBe(true);
      expect(trusted.length).toBeGreaterThan((before ?? "").length);
    }
  });

  it("does not apply to a value that the owner supplied", async () => {
    const supplied = new Map<CredentialName, string>([["redis-gateway-api", randomText(24)]]);
    const after = await run({ "redis-gateway-api": 2 }, supplied);
    expect(await previous(after, "redis", "redis-gateway-api")).toBeUndefined();
  });

  it("gives the previous value only to readers that are granted it", () => {
    expect(() => first.credentials.previous("llm-agents", "redis-gateway-api")).toThrow(/is not granted/);
  });
});

describe("supplied credentials", () => {
  it("win over generated ones, which are then not made", async () => {
    const value = randomText(24);
    const after = await run({}, new Map([["redis-exporter", value]]));
    expect(after.values.get("redis-exporter")).toEqual({ value, secret: true });
    expect(after.ofType(PASSWORD).map(({ name }) => name)).not.toContain("redis-exporter");
  });

  it("bring the public half of a supplied private key along", async () => {
    const { privateSeed, publicKey } = rawKeyPair(pem("ED25519"));
    const after = await run({}, new Map([["risk-signing-private", privateSeed]]));
    expect(after.values.get("risk-signing-private")).toEqual({ value: privateSeed, secret: true });
    expect(after.values.get("risk-signing-public")).toEqual({ value: publicKey, secret: true });
    expect(after.ofType(KEY).map(({ name }) => name)).not.toContain("risk-signing");
  });

  it("are absent until the owner sets them, and a reader that requires one says how", () => {
    expect(first.credentials.read("llm-agents", "openai")).toBeUndefined();
    expect(() => first.credentials.require("llm-agents", "openai")).toThrow(
      "llm-agents needs openai; set it with: ./autollm pulumi config set --secret openai",
    );
  });

  it("that are absent make no file", () => {
    const files = credentialFiles(first.credentials, "alertmanager", grantedTo("alertmanager"));
    expect(files).toEqual({});
    expect(Object.keys(credentialFiles(first.credentials, "grafana", ["grafana-admin"]))).toEqual(["grafana-admin"]);
  });
});

describe("a reader", () => {
  it.each<[string, CredentialName]>([
    ["llm-agents", "redis-gateway-api"],
    ["data-ingestor", "redis-risk-manager"],
    ["reporter", "postgres-gateway-api"],
    ["execution-ib", "risk-signing-private"],
    ["grafana", "caddy-admin"],
    ["nobody", "jwt"],
  ])("%s is refused %s, which it is not granted", (reader, name) => {
    expect(() => first.credentials.read(reader, name)).toThrow(`${reader} is not granted the credential ${name}`);
    expect(() => first.credentials.require(reader, name)).toThrow(/is not granted/);
  });
});
