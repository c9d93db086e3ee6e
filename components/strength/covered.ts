import { WEAK_WORDS } from "./words.ts";

/** The letters that a digit or sign stands for in leet. */
const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "il",
  "2": "z",
  "3": "e",
  "4": "a",
  "5": "s",
  "6": "gb",
  "7": "tl",
  "8": "b",
  "9": "g",
  "@": "a",
  $: "s",
  "!": "il",
  "|": "li",
  "+": "t",
  "(": "c",
  "€": "e",
  "£": "l",
};

const isLetter = (sign: string) => (sign >= "a" && sign <= "z") || /\p{L}/u.test(sign);

/** Words by their first two letters. */
type Lexicon = ReadonlyMap<string, readonly string[]>;

function lexicon(words: readonly string[]): Lexicon {
  const found = new Map<string, string[]>();
  for (const word of words) {
    const start = word.slice(0, 2);
    found.set(start, [...(found.get(start) ?? []), word]);
  }
  return found;
}

const known = new Map<string, Lexicon>();
function lexiconWith(own: readonly string[]): Lexicon {
  const key = own.join(" ");
  let found = known.get(key);
  if (found === undefined) {
    found = lexicon([...new Set([...WEAK_WORDS, ...own])]);
    known.set(key, found);
  }
  return found;
}

export interface Coverage {
  /** Letters that belong to no known word. Digits and signs between words hide nothing and are not counted. */
  readonly strange: number;
  /** Characters that known words explain. */
  readonly explained: number;
}

/**
 * How much of a text known words explain, read with and without leet.
 * @param own the stack's own names, which are known words as well
 */
export function coverage(text: string, own: readonly string[]): Coverage {
  const words = lexiconWith(own);
  const signs = [...text];
  const readings = signs.map((sign) => sign + (LEET[sign] ?? ""));
  const strangeBy: number[] = [0];
  const explainedBy: number[] = [0];
  const offer = (at: number, strange: number, explained: number) => {
    const other = strangeBy[at];
    if (other !== undefined && (strange > other || (strange === other && explained <= (explainedBy[at] ?? 0)))) return;
    strangeBy[at] = strange;
    explainedBy[at] = explained;
  };
  for (const [at, sign] of signs.entries()) {
    const strange = strangeBy[at] ?? 0;
    const explained = explainedBy[at] ?? 0;
    offer(at + 1, strange + (isLetter(sign) ? 1 : 0), explained);
    for (const first of readings[at] ?? "") {
      for (const second of ["", ...(readings[at + 1] ?? "")]) {
        for (const word of words.get(first + second) ?? []) {
          if (fits(word, signs, readings, at)) offer(at + word.length, strange, explained + word.length);
        }
      }
    }
  }
  return { strange: strangeBy[signs.length] ?? signs.length, explained: explainedBy[signs.length] ?? 0 };
}

/** Whether a word stands at a place. A third of it are letters: digits alone are read as words of leet too easily. */
function fits(word: string, signs: readonly string[], readings: readonly string[], at: number): boolean {
  let real = 0;
  for (let index = 0; index < word.length; index++) {
    const letter = word.charAt(index);
    if (readings[at + index]?.includes(letter) !== true) return false;
    if (signs[at + index] === letter) real++;
  }
  return real * 3 >= word.length;
}
