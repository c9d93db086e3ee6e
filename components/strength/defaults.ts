import { coverage } from "./covered.ts";
import { folded, once } from "./folded.ts";
import { isHashOfDefault } from "./hashes.ts";
import { isPattern } from "./patterns.ts";
import { UNMISTAKABLE } from "./words.ts";

/** `your_binance_key`, `<your-api-key-here>`. */
const YOURS = /^your[a-z0-9]{0,30}(key|token|password|secret|passphrase|credential|webhook|url)s?(here)?$/;
/** `insert token here`, `my-secret-key`: names of things in a program, but no secrets. */
const PLACEHOLDER =
  /^(my|insert|enter|put|add)[a-z0-9]{0,30}(key|token|password|secret|passphrase|credential)s?(here)?$/;

const LONGEST = 64;
const unmistakable = new Set(UNMISTAKABLE);

const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "8": "b",
  "9": "g",
  "@": "a",
  $: "s",
  "!": "i",
  "|": "l",
  "+": "t",
  "€": "e",
  "£": "l",
};

const unLeet = (text: string, one: string) =>
  text.replace(/[0-9@$!|+€£]/g, (sign) => (sign === "1" ? one : (LEET[sign] ?? sign)));
const letters = (text: string) => text.replace(/[^a-z]/g, "");
const lettersAndDigits = (text: string) => text.replace(/[^a-z0-9]/g, "");
const reversed = (text: string) => [...text].reverse().join("");

/** The shapes under which a known word hides: another case, accents, wide letters, leet, separators, digits around it. */
function shapes(value: string): readonly string[] {
  const lower = once(folded(value));
  const whole = [lower, reversed(lower)];
  const cores = whole.map((text) => text.replace(/^[^a-z@$]+|[^a-z@$]+$/g, ""));
  const all = [...whole, ...cores].flatMap((text) => [
    lettersAndDigits(text),
    once(lettersAndDigits(text)),
    letters(unLeet(text, "i")),
    letters(unLeet(text, "l")),
  ]);
  return [...new Set(all)].filter((shape) => shape !== "");
}

/** Whether a text is a known default or placeholder, whatever it stands for. */
export function isUnmistakableDefault(value: string): boolean {
  if (value.length < 5 || value.length > LONGEST) return false;
  return shapes(value).some((shape) => unmistakable.has(shape) || YOURS.test(shape));
}

/** So many letters in known words are no coincidence. */
const WORD = 4;

/** The part of a value that words must explain, if the rest is digits. */
const LEAST_EXPLAINED = 0.4;

/** Letters that may stand beside known words without making a secret of them. */
const tolerated = (explained: number) => (explained >= 12 ? 2 : explained >= 6 ? 1 : 0);

/** Whether known words, the stack's own names among them, make the whole of a value but for digits and signs around them. */
function isMadeOfWords(value: string, own: readonly string[]): boolean {
  const lower = folded(value);
  const bare = lettersAndDigits(lower);
  // Signs part words, or stand for letters.
  const readings = [bare, lower.replace(/[\s_.,:;/\\#-]/g, "")].flatMap((text) => [text, reversed(text)]);
  const undone = shapes(value).filter((shape) => shape.length >= bare.length / 2 && shape.length <= LONGEST / 2);
  if (undone.some((shape) => coverage(shape, own).explained === shape.length)) return true;
  return [...new Set(readings)].some((reading) => {
    const { strange, explained } = coverage(reading, own);
    const most = explained >= bare.length / 2 && strange <= tolerated(explained);
    // Digits around words add little. But of half a million random values in hex one had words for its few letters, by chance.
    return most || (strange === 0 && letters(bare).length >= WORD && explained >= bare.length * LEAST_EXPLAINED);
  });
}

/**
 * Whether a secret is a known default: also words like `admin` and `test`, digits alone, what is one sign or byte again and
 * again, and the hash of a default.
 * @param own the stack's own names, such as the parts of its domain: which anybody can look up
 */
export function isDefaultSecret(value: string, own: readonly string[] = []): boolean {
  if (value === "") return false;
  // Several services are given the same value, and several rules look at it.
  const key = JSON.stringify([value, own]);
  const found = judged.get(key) ?? judge(value, own);
  judged.set(key, found);
  return found;
}

const judged = new Map<string, boolean>();

function judge(value: string, own: readonly string[]): boolean {
  if (isPattern(value) || isHashOfDefault(value, own)) return true;
  if (value.length > LONGEST) return value.length <= 4 * LONGEST && isDefaultSecretOnce(value, own);
  if (isUnmistakableDefault(value) || /^\d{1,14}$|^(.)\1*$/su.test(folded(value).replace(/[^\p{L}\d]/gu, "")))
    return true;
  return isMadeOfWords(value, own) || shapes(value).some((shape) => PLACEHOLDER.test(shape));
}

/** A long value may be a short one again and again. */
function isDefaultSecretOnce(value: string, own: readonly string[]): boolean {
  const unit = once(folded(value));
  return unit.length <= LONGEST && isDefaultSecret(unit, own);
}
