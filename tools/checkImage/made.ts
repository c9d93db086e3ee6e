import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { certificate } from "./certificates.ts";

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A random text of letters and digits. */
export function randomText(length: number): string {
  return [...randomBytes(length)].map((byte) => ALPHANUMERIC[byte % ALPHANUMERIC.length]).join("");
}

type Inputs = Readonly<Record<string, unknown>>;

const commonNameOf = (inputs: Inputs) => String((inputs.subject as { commonName?: unknown } | undefined)?.commonName);
const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);

/** What a request for a certificate says, kept as the text that stands in for one. */
interface CertRequest {
  readonly commonName: string;
  readonly privateKeyPem: string;
  readonly names: readonly string[];
}

/** A private key as the provider `tls` makes it. */
export function privateKeyPem(algorithm: string): string {
  const { privateKey } =
    algorithm === "ED25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

/**
 * The values that the providers `random` and `tls` would make, made here for the time of a check: no engine, no state.
 * @throws for an input that the stack has not given so far
 */
export class Made {
  /** Names of the authorities, by their certificates. */
  readonly #authorities = new Map<string, string>();

  /** What a resource has beyond its inputs; undefined for a resource that makes no value. */
  outputs(type: string, inputs: Inputs): Record<string, unknown> | undefined {
    switch (type) {
      case "random:index/randomPassword:RandomPassword":
        return { result: randomText(Number(inputs.length)) };
      case "random:index/randomBytes:RandomBytes": {
        const bytes = randomBytes(Number(inputs.length));
        return { hex: bytes.toString("hex"), base64: bytes.toString("base64") };
      }
      case "tls:index/privateKey:PrivateKey":
        return { privateKeyPem: privateKeyPem(String(inputs.algorithm)) };
      case "tls:index/selfSignedCert:SelfSignedCert": {
        const commonName = commonNameOf(inputs);
        const certPem = certificate({ commonName, key: createPrivateKey(String(inputs.privateKeyPem)) });
        this.#authorities.set(certPem, commonName);
        return { certPem };
      }
      case "tls:index/certRequest:CertRequest": {
        const request: CertRequest = {
          commonName: commonNameOf(inputs),
          privateKeyPem: String(inputs.privateKeyPem),
          names: [...texts(inputs.dnsNames), ...texts(inputs.ipAddresses)],
        };
        return { certRequestPem: JSON.stringify(request) };
      }
      case "tls:index/locallySignedCert:LocallySignedCert": {
        const request = JSON.parse(String(inputs.certRequestPem)) as CertRequest;
        const authority = this.#authorities.get(String(inputs.caCertPem));
        if (authority === undefined) throw new Error("a certificate is to be signed by an authority that nobody made");
        return {
          certPem: certificate({
            ...request,
            key: createPrivateKey(request.privateKeyPem),
            issuer: { commonName: authority, key: createPrivateKey(String(inputs.caPrivateKeyPem)) },
          }),
        };
      }
      default:
        return undefined;
    }
  }
}
