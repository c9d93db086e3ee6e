import { createHash, randomBytes } from "node:crypto";
import { Made, privateKeyPem, randomText } from "../../../tools/checkImage/made.ts";

export { privateKeyPem as pem, randomText };

const certificate = (): string =>
  `-----BEGIN CERTIFICATE-----\n${randomBytes(48).toString("base64")}\n-----END CERTIFICATE-----\n`;

const made = new Made();

/** What a provider's `create` adds to a resource's inputs, as far as the program reads it. */
export function outputsOf(
  type: string,
  name: string,
  inputs: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  switch (type) {
    case "random:index/randomPassword:RandomPassword":
    case "random:index/randomBytes:RandomBytes":
    case "tls:index/privateKey:PrivateKey":
      return made.outputs(type, inputs) ?? {};
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
