import { gunzipSync } from "node:zlib";

/** A text as it stands, or as one of the usual encodings hides it. */
export interface Layer {
  readonly text: string;
  /** `""`, or what had to be undone: `base64`, `base64, url`. */
  readonly via: string;
}

const MAX_DEPTH = 3;
const MAX_LENGTH = 1024 * 1024;
/** Shortest text that is worth decoding: `Zm9v`. */
const MIN_LENGTH = 4;
const PRINTABLE = /^[\t\n\r\x20-\x7e\u00a0-\ufffd]+$/;

function printable(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  return PRINTABLE.test(text) && !text.includes("\ufffd") ? text : undefined;
}

function base64(text: string): string | undefined {
  const compact = text.replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact) || compact.replace(/=+$/, "").length % 4 === 1) return undefined;
  const bytes = Buffer.from(compact, "base64");
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      return printable(gunzipSync(bytes, { maxOutputLength: MAX_LENGTH }));
    } catch {
      return undefined;
    }
  }
  return bytes.length < 3 ? undefined : printable(bytes);
}

function hex(text: string): string | undefined {
  const digits = text.replace(/^0x/i, "").replaceAll("\\x", "");
  if (!/^([0-9a-f]{2}){3,}$/i.test(digits)) return undefined;
  return printable(Buffer.from(digits, "hex"));
}

function url(text: string): string | undefined {
  if (!/%[0-9a-f]{2}/i.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function escapes(text: string): string | undefined {
  if (!/\\u[0-9a-f]{4}|\\x[0-9a-f]{2}/i.test(text)) return undefined;
  return text.replace(/\\(?:u([0-9a-f]{4})|x([0-9a-f]{2}))/gi, (_, wide: string | undefined, narrow: string) =>
    String.fromCharCode(Number.parseInt(wide ?? narrow, 16)),
  );
}

const decoders = { base64, hex, url, escapes };

/** A text and all that it decodes to, by base64 (gzip too), hex, URL and backslash escapes, one in another. */
export function layers(text: string): readonly Layer[] {
  const found: Layer[] = [{ text, via: "" }];
  const seen = new Set([text]);
  let fresh = found;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    fresh = fresh.flatMap(({ text: outer, via }) =>
      outer.length < MIN_LENGTH || outer.length > MAX_LENGTH
        ? []
        : Object.entries(decoders).flatMap(([name, decode]) => {
            const inner = decode(outer);
            if (inner === undefined || seen.has(inner)) return [];
            seen.add(inner);
            return [{ text: inner, via: via === "" ? name : `${via}, ${name}` }];
          }),
    );
    found.push(...fresh);
  }
  return found;
}
