import { hash } from "node:crypto";
import { hexForms } from "./patterns.ts";
import { AFFIXES, DIGITS, PLACEHOLDERS, UNMISTAKABLE, WEAK_WORDS } from "./words.ts";

const ALGORITHMS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] as const;
/** Hex digits by which a digest is looked up: 48 bits, so that a random value is found once in ten thousand million. */
const INDEXED = 12;
/** Words that people hash most: with what they put behind them as well. */
const FAVOURITES = ["admin", "password", "secret", "test", "root", "user", "postgres", "redis", "grafana", "changeme"];

const cases = (word: string) => [word, word.toUpperCase(), word.charAt(0).toUpperCase() + word.slice(1)];

/** The texts whose hashes are no secrets. */
function texts(own: readonly string[]): ReadonlySet<string> {
  const plain = [...WEAK_WORDS, ...UNMISTAKABLE, ...own, own.join("."), ...PLACEHOLDERS].flatMap(cases);
  const dressed = [...FAVOURITES, ...UNMISTAKABLE, ...own].flatMap((word) =>
    cases(word).flatMap((form) => AFFIXES.map((affix) => form + affix)),
  );
  return new Set([...plain, ...dressed, ...DIGITS]);
}

function digestsOf(own: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of texts(own)) {
    // `echo changeme | sha256sum` hashes a newline as well.
    for (const hashed of [text, `${text}\n`]) {
      for (const algorithm of ALGORITHMS) {
        const digest = hash(algorithm, hashed, "hex");
        found.set(digest.slice(0, INDEXED), digest);
      }
    }
  }
  return found;
}

const known = new Map<string, ReadonlyMap<string, string>>();
/** Made at the first value that could be a hash. */
function digests(own: readonly string[]): ReadonlyMap<string, string> {
  const key = own.join(".");
  let found = known.get(key);
  if (found === undefined) {
    found = digestsOf(own);
    known.set(key, found);
  }
  return found;
}

/** A hash's own label: `sha256:…`, `{SHA}…`, `md5(…)`. */
const LABEL = /^[{($]?(?:s?sha|md)-?\d{0,3}[})$:=(]\s*|\)$/gi;

/** Whether a value is the hash of a known default, or its beginning, in hex or base64. */
export function isHashOfDefault(value: string, own: readonly string[]): boolean {
  return hexForms(value.replace(LABEL, "")).some((hex) => {
    const digest = digests(own).get(hex.slice(0, INDEXED));
    // Base64 that was cut ends in the middle of a byte.
    return digest !== undefined && (digest.startsWith(hex.slice(0, -1)) || hex.startsWith(digest));
  });
}
