import { generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { withoutBlobs, withoutPem } from "../../components/strength/blobs.ts";
import type { Subject } from "../../policies/lib/rule.ts";
import { container, filesOf, resource, verdict } from "./fixtures.ts";

/** Rules that read a text for the secrets that it assigns. */
const RULES = ["credential-not-default", "credential-long-enough", "credential-hard-to-guess"];

const folded = (bytes: Buffer) => (bytes.toString("base64").match(/.{1,64}/g) ?? []).join("\n");

const requests: Readonly<Record<string, (body: Buffer) => Subject>> = {
  "a request for a certificate": (body) =>
    resource("tls:index/certRequest:CertRequest", {
      certRequestPem: `-----BEGIN CERTIFICATE REQUEST-----\n${folded(body)}\n-----END CERTIFICATE REQUEST-----\n`,
    }),
  "JSON with base64 in it": (body) =>
    container({ props: { envs: [`SETTINGS=${JSON.stringify({ ca: body.toString("base64"), next: "," })}`] } }),
  "a file with base64 in it": (body) => filesOf("redis", { "etc-redis/trust.conf": `ca ${body.toString("base64")}\n` }),
};

const said = async (subject: Subject) => (await Promise.all(RULES.map((rule) => verdict(rule, subject)))).flat();

it.each(Object.entries(requests))(
  "no letters of %s are taken for a secret, thousands of times",
  async (_, make) => {
    for (let round = 0; round < 1500; round++) expect(await said(make(randomBytes(60 + (round % 3))))).toEqual([]);
  },
  60_000,
);

it("a key of each kind is a blob, and a text that only calls itself one is read", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pems = [
    privateKey.export({ type: "pkcs8", format: "pem" }),
    privateKey.export({ type: "sec1", format: "pem" }),
    publicKey.export({ type: "spki", format: "pem" }),
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
  ];
  for (const pem of pems) expect(withoutPem(`a ${pem.toString().trim()} b`).replace(/\s+/g, " ")).toBe("a b");
  const said = "-----BEGIN NOTHING-----\nchangeme\n-----END NOTHING-----";
  expect(withoutBlobs(said)).toBe(said);
});

it("a default beside base64, within a path, or as base64 itself is still found", async () => {
  const noise = randomBytes(60).toString("base64");
  const encoded = Buffer.from("password=changeme").toString("base64");
  for (const text of [`${noise} changeme`, "/var/lib/Autollm2/changeme/abcdefgh/ijk", encoded]) {
    const subject = container({ props: { envs: [`NOTE=${text}`] } });
    expect(await verdict("credential-not-default", subject), text).not.toEqual([]);
  }
});
