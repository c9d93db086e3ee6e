import { once } from "./folded.ts";

/** Identifiers that stand in standards and examples, without their hyphens. */
const PUBLISHED = new Set([
  "123e4567e89b12d3a456426614174000",
  "123e4567e89b12d3a456426655440000",
  "550e8400e29b41d4a716446655440000",
  "f81d4fae7dec11d0a76500a0c91e6bf6",
  "6ba7b8109dad11d180b400c04fd430c8",
  "6ba7b8119dad11d180b400c04fd430c8",
  "6ba7b8129dad11d180b400c04fd430c8",
  "6ba7b8149dad11d180b400c04fd430c8",
  // The private keys of RFC 8032's test vectors.
  "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
  "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
  "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
]);

/** Digits in base 16 that a text shows: hex as it is, in UUIDs and fingerprints, or as base64's bytes. */
export function hexForms(value: string): readonly string[] {
  const text = value.trim();
  const hex = text.replace(/^0x/i, "").replace(/^(urn:uuid:)?\{?|\}$|[-: ]|\\x/gi, "");
  const forms = /^[0-9a-f]{12,}$/i.test(hex) ? [hex.toLowerCase()] : [];
  const base64 = text.replace(/\s+/g, "");
  if (/^[A-Za-z0-9+/_-]{12,}={0,2}$/.test(base64) && base64.replace(/=+$/, "").length % 4 !== 1)
    forms.push(Buffer.from(base64, "base64").toString("hex"));
  return forms;
}

/** How often each number occurs, the most frequent first. */
function frequencies(numbers: readonly number[]): readonly number[] {
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => b - a);
}

/** So few different numbers are no accident, however many there are. */
const FEW = 4;

/**
 * Whether numbers follow a rule: few different ones, or the same step from one to the next nearly all the way. At 16 random
 * digits the odds of that are below one in a hundred million.
 */
function isRegular(numbers: readonly number[], modulus: number): boolean {
  if (new Set(numbers).size <= Math.min(numbers.length / 8, FEW)) return true;
  const steps = numbers.slice(1).map((number, index) => (number - (numbers[index] ?? 0) + modulus) % modulus);
  const [first = 0, second = 0] = frequencies(steps);
  return first >= steps.length * 0.7 || first + second >= steps.length * 0.9;
}

/** Whether a text is no random value but a constant of some order: the nil UUID, zeros, `ff`, `0123456789abcdef`, in hex or base64. */
export function isPattern(value: string): boolean {
  return hexForms(value).some((hex) => {
    if (PUBLISHED.has(hex)) return true;
    const unit = once(hex);
    // Eight digits, however often they are repeated.
    if (unit.length <= 8) return true;
    const digits = [...unit].map((digit) => Number.parseInt(digit, 16));
    if (unit.length >= 16 && (isRegular(digits, 16) || isRegular(digits, 10))) return true;
    const bytes = [...Buffer.from(unit, "hex")];
    return bytes.length >= 8 && isRegular(bytes, 256);
  });
}
