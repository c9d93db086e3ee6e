import { createRequire } from "node:module";
import { layers } from "./decode.ts";
import { isDefaultSecret, isUnmistakableDefault } from "./defaults.ts";
import type { Candidate } from "./places.ts";
import { isIdentifierName, isVncName } from "./secretNames.ts";
import { holdsRandom } from "./tokens.ts";

/** Shortest secret, in characters. */
export const MIN_LENGTH = 12;
/** VNC uses 8 characters of a password. */
export const VNC_LENGTH = 8;
/** Guesses, as a power of ten, that a secret must stand; zxcvbn calls 10 "very unguessable". 8 random characters reach 8. */
const MIN_GUESSES = 10;
const VNC_GUESSES = 7;
/** So many characters settle the matter for a random value. More than the second add time and no knowledge. */
const FIRST_ESTIMATED = 12;
const MAX_ESTIMATED = 64;

/** What of a value counts. */
function significant({ name, value }: Candidate): string {
  return isVncName(name) ? value.slice(0, VNC_LENGTH) : value;
}

/** How a secret is a known default: undefined when it is none, else what hides it. */
export function defaultVia(candidate: Candidate): string | undefined {
  // A login may be `admin`, a chat's id is digits.
  const isDefault = isIdentifierName(candidate.name) ? isUnmistakableDefault : isDefaultSecret;
  const whole = layers(candidate.value).find(({ text }) => isDefault(text));
  if (whole !== undefined) return [candidate.via, whole.via].filter((via) => via !== "").join(", ");
  return isVncName(candidate.name) && isDefaultSecret(significant(candidate)) ? candidate.via : undefined;
}

/** How many characters a secret must have. 0 for what identifies and does not authenticate. */
export function requiredLength(name: string): number {
  if (isIdentifierName(name)) return 0;
  return isVncName(name) ? VNC_LENGTH : MIN_LENGTH;
}

/** Whether a secret can be guessed, by zxcvbn's estimate of how a cracker would go about it. */
export function isGuessable(candidate: Candidate): boolean {
  const { name, value } = candidate;
  if (value === "" || isIdentifierName(name) || value.includes("-----BEGIN ")) return false;
  const counted = significant(candidate);
  // A long run without order stands any number of guesses; so a stack of generated credentials never loads the dictionaries.
  if (holdsRandom(counted)) return false;
  const least = isVncName(name) ? VNC_GUESSES : MIN_GUESSES;
  // A value is as hard as its beginning at least, and estimating a long one takes ten times as long.
  return [FIRST_ESTIMATED, MAX_ESTIMATED].every((length) => estimator()(counted.slice(0, length)) < least);
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
