import { withoutBlobs } from "../../components/strength/blobs.ts";
import { layers } from "../../components/strength/decode.ts";
import { isUnmistakableDefault } from "../../components/strength/defaults.ts";
import { defaultVia } from "../../components/strength/weak.ts";
import { isGlued } from "../lib/flags.ts";
import { own } from "../lib/own.ts";
import { candidates, places } from "../lib/places.ts";
import type { Finding, ResourceRule } from "../lib/rule.ts";

/** What separates the words of a text, a URL, a command line or a config file. */
const SEPARATORS = /[\s"'`,;=:@/&?|<>(){}[\]]+/;
const problem = (via: string) => `holds a known default credential${via === "" ? "" : ` (${via} decoded)`}`;

/** The words of a text that are a default whatever they stand for, also behind an encoding. */
function hidden(whole: string): string | undefined {
  const text = withoutBlobs(whole);
  const parts = [...text.split(/\s+/), ...text.split(SEPARATORS)];
  // A flag may have its value glued to it: `-pVALUE`.
  const values = parts.filter(isGlued).map((part) => part.slice(2));
  for (const part of new Set([...parts, ...values])) {
    for (const { text: inner, via } of layers(part)) {
      if (inner.split(SEPARATORS).some(isUnmistakableDefault) || isUnmistakableDefault(inner)) return via;
    }
  }
  return undefined;
}

export const credentialNotDefault: ResourceRule = {
  name: "credential-not-default",
  title: "No credential is a default or a placeholder",
  level: "mandatory",
  severity: "critical",
  why: "An attacker tries known defaults first; the old installation used some of them.",
  fix: "generate a credential, or supply your own with: ./autollm pulumi config set --secret NAME",
  types: "every",
  check(subject) {
    const findings = new Map<string, Finding>();
    for (const place of places(subject)) {
      for (const candidate of candidates(place)) {
        const via = defaultVia(candidate, own());
        if (via !== undefined) findings.set(candidate.key, { key: candidate.key, problem: problem(via) });
      }
      const via = hidden(place.text);
      const told = [...findings.keys()].some((key) => key.startsWith(place.key));
      if (via !== undefined && !told) findings.set(place.key, { key: place.key, problem: problem(via) });
    }
    return findings.values();
  },
};
