/** Letters of other alphabets that look like Latin ones, each followed by what it looks like. */
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  "аa вb еe һh іi јj кk мm оo рp сc ѕs тt уy хx ԁd ԛq ԝw ьb гr пn αa εe ιi κk νv οo ρp τt υu χx"
    .split(" ")
    .map(([sign = "", latin = ""]) => [sign, latin]),
);

/** Without case, accents, wide letters, invisible signs and letters of other alphabets that look alike. */
export function folded(value: string): string {
  const plain = value
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase()
    .trim();
  return plain.replace(/[^\p{ASCII}]/gu, (sign) => LOOKALIKES.get(sign) ?? sign);
}

/** `abcabc` as `abc`: what is repeated adds nothing. */
export function once(text: string): string {
  return /^(.+?)\1+$/s.exec(text)?.[1] ?? text;
}
