import { defaultVia, MIN_LENGTH, requiredLength, VNC_LENGTH } from "../../components/strength/weak.ts";
import { own } from "../lib/own.ts";
import { candidates, places } from "../lib/places.ts";
import type { Finding, ResourceRule } from "../lib/rule.ts";

export const credentialLongEnough: ResourceRule = {
  name: "credential-long-enough",
  title: `A credential has ${MIN_LENGTH} characters or more, VNC's ${VNC_LENGTH}`,
  level: "mandatory",
  severity: "high",
  why: "All short ones can be tried in hours. VNC uses 8 characters and drops the rest.",
  fix: `generate it, or supply one of ${MIN_LENGTH} characters or more`,
  types: "every",
  check(subject) {
    const findings = new Map<string, Finding>();
    for (const candidate of places(subject).flatMap(candidates)) {
      const { key, name, value, sure } = candidate;
      const required = requiredLength(name);
      // A previous value is empty until the first rotation.
      if (!sure || value.length >= required || (value === "" && /previous/i.test(name))) continue;
      // One fault is reported once: credential-not-default says more.
      if (defaultVia(candidate, own()) !== undefined) continue;
      findings.set(key, {
        key,
        problem: value === "" ? "is an empty credential" : `is a credential of fewer than ${required} characters`,
      });
    }
    return findings.values();
  },
};
