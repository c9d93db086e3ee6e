import { layers } from "../../components/strength/decode.ts";
import { isIdentifierName } from "../../components/strength/secretNames.ts";
import { holdsRandom, knownToken } from "../../components/strength/tokens.ts";
import { candidates, type Place, words } from "./places.ts";
import type { Finding } from "./rule.ts";

/** Names whose values look random and are no secrets: digests, ids, revisions. */
const PUBLIC_NAME =
  /(digest|hash|checksum|sha\d*|revision|commit|fingerprint|image|version|public[-_.]?key|segments|stack|services?)$/i;

/** The secrets that a place exposes to every reader. `scripts` name digests and keys of packages, so length alone says nothing. */
export function plainSecrets(place: Place, where: "container" | "script"): readonly Finding[] {
  const { key, name, text } = place;
  const named = candidates(place)
    .filter((candidate) => candidate.value !== "" && !isIdentifierName(candidate.name))
    .map((candidate) => ({ key: candidate.key, problem: "holds a secret in plain text" }));
  if (named.length > 0) return [...new Map(named.map((finding) => [finding.key, finding])).values()];
  for (const part of [text, ...words(text)]) {
    for (const { text: inner, via } of layers(part)) {
      const form = knownToken(inner);
      if (form !== undefined)
        return [{ key, problem: `holds ${form} in plain text${via === "" ? "" : ` (${via} decoded)`}` }];
    }
  }
  const looksRandom =
    where === "container" ? holdsRandom(text) : holdsRandom(text.replace(/\b[0-9a-fA-F]{32,}\b/g, " "));
  if (looksRandom && !PUBLIC_NAME.test(name))
    return [{ key, problem: "holds what looks like a random secret in plain text" }];
  return [];
}
