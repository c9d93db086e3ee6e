import { isPath } from "./tokens.ts";

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g;
/** A run that base64 could be, its padding included; signs of the alphabet before or after it would be part of it. */
const RUN = /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{20,}={0,2}(?![A-Za-z0-9+/=])/g;

/** Whether bytes are one DER sequence (X.690), as keys, certificates and requests are: a tag, a length, and so many bytes. */
function isSequence(bytes: Buffer): boolean {
  const [tag, first = 0] = bytes;
  if (tag !== 0x30) return false;
  if (first < 0x80) return bytes.length === 2 + first;
  const size = first - 0x80;
  return size >= 1 && size <= 4 && bytes.length === 2 + size + bytes.subarray(2).readUIntBE(0, size);
}

/** Whether a run is whole base64 of bytes that are no text. */
function isBinary(run: string): boolean {
  if (run.length % 4 !== 0 || isPath(run) || ![/[a-z]/, /[A-Z]/, /[0-9]/].every((kind) => kind.test(run))) return false;
  return Buffer.from(run, "base64").some((byte) => byte === 0x7f || (byte < 0x20 && ![9, 10, 13].includes(byte)));
}

/**
 * A text without its PEM texts that hold a key, a certificate or a request, and with no padding behind its base64: read as words,
 * the letters before a `=` would sooner or later be a secret's name by chance. A PEM text with other content is kept.
 */
export function withoutPem(text: string): string {
  return text
    .replace(PEM, (whole, _, body: string) =>
      isSequence(Buffer.from(body, "base64")) ? " " : whole.replace(/=+(?=\s*-----END)/, ""),
    )
    .replace(RUN, (run) => (run.length % 4 === 0 ? run.replace(/=+$/, "") : run));
}

/** The same without any base64 of bytes that are no text: between its slashes stands, sooner or later, a word by chance. */
export function withoutBlobs(text: string): string {
  return withoutPem(text.replace(RUN, (run) => (isBinary(run) ? " " : run)));
}
