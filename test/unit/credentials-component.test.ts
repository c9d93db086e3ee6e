import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import { type CredentialName, credentialNames, credentialSpec } from "../../components/credentials/catalogue.ts";
import { Credentials } from "../../components/credentials/credentials.ts";
import { credentialFiles } from "../../components/credentials/files.ts";
import { grantedTo, readersOf } from "../../components/credentials/grants.ts";
import { publicKeyOf, rawKeyPair } from "../../components/credentials/keys.ts";
import { type Recording, record } from "./lib/mocks.ts";
import { pem, randomText } from "./lib/values.ts";

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
): Promise<Run> {
  const recording = await record(() => ({
    credentials: new Credentials("credentials", {
      generation,
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

describe("a raised generation", () => {
  const changed = (before: Run, after: Run) =>
    [PASSWORD, BYTES]
      .flatMap((type) => after.ofType(type))
      .filter(({ type, name, inputs }) => {
        return JSON.stringify(inputs.keepers) !== JSON.stringify(before.find(type, name).inputs.keepers);
      })
      .map(({ name }) => name);
  const retriggered = (before: Run, after: Run) =>
    after
      .ofType(KEY)
      .filter(({ name, replacementTrigger }) => replacementTrigger !== before.find(KEY, name).replacementTrigger)
      .map(({ name }) => name);

  it.each(["redis", "jwt", "nats-risk-manager", "postgres-reporter"])(
    "of %s remakes it and nothing else",
    async (name) => {
      const after = await run({ [name]: 2 });
      expect(changed(first, after)).toEqual([name]);
      expect(retriggered(first, after)).toEqual([]);
    },
  );

  it("of a key pair remakes that pair", async () => {
    const after = await run({ "llm-signing": 2 });
    expect(retriggered(first, after)).toEqual(["llm-signing"]);
    expect(changed(first, after)).toEqual([]);
  });

  it("of NATS's authority remakes its key and the certificate's", async () => {
    expect(retriggered(first, await run({ "nats-tls": 2 })).sort()).toEqual(["nats-tls-ca-key", "nats-tls-key"]);
  });

  it("of 1 is the default: writing it down changes nothing", async () => {
    const after = await run({ redis: 1, "nats-tls": 1, "llm-signing": 1 });
    expect([...changed(first, after), ...retriggered(first, after)]).toEqual([]);
  });
});

describe("supplied credentials", () => {
  it("win over generated ones, which are then not made", async () => {
    const value = randomText(24);
    const after = await run({}, new Map([["redis", value]]));
    expect(after.values.get("redis")).toEqual({ value, secret: true });
    expect(after.ofType(PASSWORD).map(({ name }) => name)).not.toContain("redis");
  });

  it("bring the public half of a supplied private key along", async () => {
    const { privateSeed, publicKey } = rawKeyPair(pem("ED25519"));
    const after = await run({}, new Map([["risk-signing-private", privateSeed]]));
    expect(after.values.get("risk-signing-private")).toEqual({ value: privateSeed, secret: true });
    expect(after.values.get("risk-signing-public")).toEqual({ value: publicKey, secret: true });
    expect(after.ofType(KEY).map(({ name }) => name)).not.toContain("risk-signing");
  });

  it("are absent until the owner sets them, and whoever cannot do without says how", () => {
    expect(first.credentials.read("llm-agents", "openai")).toBeUndefined();
    expect(() => first.credentials.require("llm-agents", "openai")).toThrow(
      "llm-agents needs openai; set it with: pulumi config set --secret openai",
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
    ["llm-agents", "redis"],
    ["reporter", "postgres-gateway-api"],
    ["execution-ib", "risk-signing-private"],
    ["grafana", "caddy-admin"],
    ["nobody", "jwt"],
  ])("%s is refused %s, which it is not granted", (reader, name) => {
    expect(() => first.credentials.read(reader, name)).toThrow(`${reader} is not granted the credential ${name}`);
    expect(() => first.credentials.require(reader, name)).toThrow(/is not granted/);
  });
});
