import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";

/**
 * Certificates that live as long as a check: Node makes keys and signatures, and no certificate (RFC 5280). Python checks by the
 * letter of it, so an authority has a key usage, and both have the key identifiers.
 */

/** DER: a tag, the length, the content. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = Buffer.from(length.toString(16).padStart(length < 256 ? 2 : 4, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 128 + bytes.length]), bytes, content]);
}

const sequence = (...contents: readonly Buffer[]) => der(0x30, ...contents);
const octets = (content: Buffer) => der(0x04, content);
/** An object identifier by the hexadecimal of its content. */
const identifier = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const TRUE = der(0x01, Buffer.from([255]));

const ECDSA_WITH_SHA256 = sequence(identifier("2a8648ce3d040302"));
const COMMON_NAME = identifier("550403");
const BASIC_CONSTRAINTS = identifier("551d13");
const KEY_USAGE = identifier("551d0f");
const SUBJECT_KEY = identifier("551d0e");
const AUTHORITY_KEY = identifier("551d23");
const OTHER_NAMES = identifier("551d11");
const CERT_SIGN = Buffer.from([2, 0x04]);
const DIGITAL_SIGNATURE = Buffer.from([7, 0x80]);

const nameOf = (commonName: string) =>
  sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName, "utf8")))));

const time = (at: Date) => der(0x18, Buffer.from(`${at.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

/** What names a key: the SHA-1 of its bits (RFC 5280, 4.2.1.2). */
const keyIdentifier = (publicKey: Buffer) =>
  // The uncompressed point of P-256 is the last 65 bytes of the key's DER.
  createHash("sha1").update(publicKey.subarray(-65)).digest();

const otherName = (name: string) =>
  isIP(name) === 4 ? der(0x87, Buffer.from(name.split(".").map(Number))) : der(0x82, Buffer.from(name, "ascii"));

export interface CertificateArgs {
  readonly commonName: string;
  /** The key of P-256 whose public half is certified. */
  readonly key: KeyObject;
  /** Who signs: absent for an authority, which signs itself. */
  readonly issuer?: { readonly commonName: string; readonly key: KeyObject };
  /** Names and IPv4 addresses at which a server answers. */
  readonly names?: readonly string[];
}

const DAY_MS = 86_400_000;

/** A certificate in PEM, valid for a day. */
export function certificate({ commonName, key, issuer, names = [] }: CertificateArgs, now = Date.now()): string {
  const signer = issuer ?? { commonName, key };
  const spki = (half: KeyObject) => createPublicKey(half).export({ type: "spki", format: "der" });
  const publicKey = spki(key);
  const isAuthority = issuer === undefined;
  const usage = der(0x03, isAuthority ? CERT_SIGN : DIGITAL_SIGNATURE);
  const extensions = [
    sequence(BASIC_CONSTRAINTS, TRUE, octets(isAuthority ? sequence(TRUE) : sequence())),
    sequence(KEY_USAGE, TRUE, octets(usage)),
    sequence(SUBJECT_KEY, octets(octets(keyIdentifier(publicKey)))),
    sequence(AUTHORITY_KEY, octets(sequence(der(0x80, keyIdentifier(spki(signer.key)))))),
    ...(names.length === 0 ? [] : [sequence(OTHER_NAMES, octets(sequence(...names.map(otherName))))]),
  ];
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    nameOf(signer.commonName),
    sequence(time(new Date(now - 3_600_000)), time(new Date(now + DAY_MS))),
    nameOf(commonName),
    publicKey,
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", content, signer.key);
  const whole = sequence(content, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
