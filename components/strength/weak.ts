import { createRequire } from "node:module";
import { layers } from "./decode.ts";
import { isDefaultSecret, isUnmistakableDefault } from "./defaults.ts";
import { once } from "./folded.ts";
import { isIdentifierName, isLocatorName, isVncName } from "./secretNames.ts";
import { holdsRandom } from "./tokens.ts";

/** A credential's value, and the name that says what it is. */
export interface Secret {
  readonly name: string;
  readonly value: string;
  /** What hid it: `base64`, or nothing. */
  readonly via?: string;
}

/** Shortest secret, in characters. */
export const MIN_LENGTH = 12;
/** VNC uses 8 characters of a password. */
export const VNC_LENGTH = 8;
/** Guesses, as a power of ten, that a secret must withstand; zxcvbn calls 10 "very unguessable". 8 random characters reach 8. */
const MIN_GUESSES = 10;
/**
 * Of random values of 8 characters one in seven hundred is below 7, one in four thousand below 6.5 and one in twenty-five thousand
 * below 6, each by a word that they happen to hold: what the stack makes must not be refused by chance.
 */
const VNC_GUESSES = 5;
/** So many characters are enough to judge a random value. More than the second number take time and change nothing. */
const FIRST_ESTIMATED = 12;
const MAX_ESTIMATED = 64;

/** What of a value counts. What is repeated counts once. */
function significant({ name, value }: Secret): string {
  return isVncName(name) ? value.slice(0, VNC_LENGTH) : once(value);
}

/** The parts of a URL in which its secret can stand; undefined for what is no URL. */
function urlParts(value: string): readonly string[] | undefined {
  if (!URL.canParse(value)) return undefined;
  const { pathname, search, hash } = new URL(value);
  return `${pathname}${search}${hash}`.split(/[/?&#=]+/).filter((part) => part !== "");
}

/** A piece of a URL that is a placeholder: `XXXXXXXX`, the nil UUID, `your-webhook`. */
const isPlaceholderPart = (part: string) =>
  /^[xX]{3,}$/.test(part) || isUnmistakableDefault(part) || (part.length >= MIN_LENGTH && isDefaultSecret(part));

function isDefaultLocator(value: string): boolean {
  return isUnmistakableDefault(value) || (urlParts(value) ?? value.split("/")).some(isPlaceholderPart);
}

/** A login may be `admin`, a chat's id is digits: only a placeholder is refused. */
const isDefaultIdentifier = (value: string) => isUnmistakableDefault(value) || /^[xX]{3,}$|^0+$|^[?*.-]+$/.test(value);

/**
 * How a secret is a known default: undefined when it is none, else what hides it.
 * @param own the stack's own names
 */
export function defaultVia(secret: Secret, own: readonly string[] = []): string | undefined {
  const { name, value, via = "" } = secret;
  const isDefault = isIdentifierName(name)
    ? isDefaultIdentifier
    : isLocatorName(name)
      ? isDefaultLocator
      : (text: string) => isDefaultSecret(text, own);
  const whole = layers(value).find(({ text }) => isDefault(text));
  if (whole !== undefined) return [via, whole.via].filter((each) => each !== "").join(", ");
  return isVncName(name) && isDefaultSecret(significant(secret), own) ? via : undefined;
}

/** How many characters a secret must have. 0 for what identifies and does not authenticate. */
export function requiredLength(name: string): number {
  if (isIdentifierName(name) || isLocatorName(name)) return 0;
  return isVncName(name) ? VNC_LENGTH : MIN_LENGTH;
}

/** Whether a secret can be guessed, by zxcvbn's estimate of how a cracker would go about it. */
export function isGuessable(secret: Secret): boolean {
  const { name, value } = secret;
  if (value === "" || isIdentifierName(name) || isLocatorName(name) || value.includes("-----BEGIN ")) return false;
  const counted = significant(secret);
  // A long run without order withstands any number of guesses; so a stack of generated credentials never loads the dictionaries.
  if (holdsRandom(counted)) return false;
  const least = isVncName(name) ? VNC_GUESSES : MIN_GUESSES;
  // A value is as hard as its beginning at least, and estimating a long one takes ten times as long.
  return [FIRST_ESTIMATED, MAX_ESTIMATED].every((length) => estimator()(counted.slice(0, length)) < least);
}

/** Kinds of characters, and how many there are of each. */
const KINDS: readonly (readonly [RegExp, number])[] = [
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/[0-9]/, 10],
  [/[^A-Za-z0-9]/, 32],
];

/** The entropy that a value has at most, by its length and the kinds of its characters, in bits. */
export function bits(value: string): number {
  const counted = once(value);
  const hex = /^([0-9a-f]+|[0-9A-F]+)$/.test(counted) && !/^\d+$/.test(counted);
  const kinds = KINDS.filter(([form]) => form.test(counted)).reduce((sum, [, size]) => sum + size, 0);
  return counted.length * Math.log2(Math.max(hex ? 16 : kinds, 1));
}

/** What is wrong with a credential's value, in words that follow its name; undefined when it is strong. */
export function weakness(secret: Secret, own: readonly string[] = []): string | undefined {
  const { name, value } = secret;
  if (value.trim() === "") return "is empty";
  const via = defaultVia(secret, own);
  if (via !== undefined) return `is a known default${via === "" ? "" : ` (${via} decoded)`}`;
  const required = requiredLength(name);
  if (significant(secret).length < required) return `has fewer than ${required} characters`;
  return isGuessable(secret) ? "can be guessed" : undefined;
}

type Estimator = (value: string) => number;
let loaded: Estimator | undefined;

/** Words of this platform that an attacker would try first. */
const LOCAL_WORDS = [
  "autollm",
  "trader",
  "trading",
  "bototo",
  "willhardy",
  "grafana",
  "postgres",
  "redis",
  "nats",
  "jetstream",
  "prometheus",
  "caddy",
  "binance",
  "coinbase",
  "kraken",
];

/** Loads the dictionaries at the first secret: most resources have none. */
function estimator(): Estimator {
  if (loaded !== undefined) return loaded;
  // The library's ES modules are not marked as such in its manifest, so Node can load only its CommonJS form.
  const require = createRequire(import.meta.url);
  const { ZxcvbnFactory } = require("@zxcvbn-ts/core") as typeof import("@zxcvbn-ts/core");
  const common = require("@zxcvbn-ts/language-common") as typeof import("@zxcvbn-ts/language-common");
  const english = require("@zxcvbn-ts/language-en") as typeof import("@zxcvbn-ts/language-en");
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary, platform: LOCAL_WORDS },
    graphs: common.adjacencyGraphs,
  });
  // Several services are given the same value.
  const known = new Map<string, number>();
  loaded = (value) => {
    const guesses = known.get(value) ?? zxcvbn.check(value).guessesLog10;
    known.set(value, guesses);
    return guesses;
  };
  return loaded;
}
