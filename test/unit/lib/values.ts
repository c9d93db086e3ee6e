import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A random text of letters and digits, made when the test runs so that no secret-looking value stands in the source. */
export function randomText(length: number): string {
  return [...randomBytes(length)].map((byte) => ALPHANUMERIC[byte % ALPHANUMERIC.length]).join("");
}

/** A private key as the tls provider makes it. */
export function pem(algorithm: string): string {
  const { privateKey } =
    algorithm === "ED25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

const certificate = (): string =>
  `-----BEGIN CERTIFICATE-----\n${randomBytes(48).toString("base64")}\n-----END CERTIFICATE-----\n`;

/** What a provider's `create` adds to a resource's inputs, as far as the program reads it. */
export function outputsOf(
  type: string,
  name: string,
  inputs: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  switch (type) {
    case "random:index/randomPassword:RandomPassword":
      return { result: randomText(Number(inputs.length)) };
    case "random:index/randomBytes:RandomBytes": {
      const bytes = randomBytes(Number(inputs.length));
      return { hex: bytes.toString("hex"), base64: bytes.toString("base64") };
    }
    case "tls:index/privateKey:PrivateKey":
      return { privateKeyPem: pem(String(inputs.algorithm)) };
    case "tls:index/selfSignedCert:SelfSignedCert":
    case "tls:index/locallySignedCert:LocallySignedCert":
      return { certPem: certificate() };
    case "tls:index/certRequest:CertRequest":
      return { certRequestPem: certificate() };
    case "command:local:Command":
    case "command:remote:Command":
      // An image's entry point and command (components/platform/imageStart.ts).
      return { stdout: name.endsWith("-image-start") ? '["/app/start"]\nnull\n' : "", stderr: "" };
    case "docker:index/remoteImage:RemoteImage":
      return { imageId: `sha256:${createHash("sha256").update(String(inputs.name)).digest("hex")}` };
    case "docker:index/network:Network":
    case "docker:index/volume:Volume":
    case "docker:index/container:Container":
      return { name: `${name}-0123abc` };
    default:
      return {};
  }
}
