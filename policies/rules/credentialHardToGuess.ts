import { defaultVia, isGuessable, requiredLength } from "../../components/strength/weak.ts";
import { own } from "../lib/own.ts";
import { candidates, places } from "../lib/places.ts";
import type { Finding, ResourceRule } from "../lib/rule.ts";

export const credentialHardToGuess: ResourceRule = {
  name: "credential-hard-to-guess",
  title: "A credential withstands ten thousand million guesses",
  level: "mandatory",
  severity: "high",
  why: "Length alone is not strength: names, dates, keyboard rows and words with digits are guessed at once.",
  fix: "generate it, or supply a random one (openssl rand -base64 24)",
  types: "every",
  check(subject) {
    const findings = new Map<string, Finding>();
    for (const candidate of places(subject).flatMap(candidates)) {
      const { key, name, value, sure } = candidate;
      if (!sure || value.length < requiredLength(name) || !isGuessable(candidate)) continue;
      // One fault is reported once: credential-not-default says more.
      if (defaultVia(candidate, own()) !== undefined) continue;
      findings.set(key, { key, problem: "is a credential that can be guessed" });
    }
    return findings.values();
  },
};
