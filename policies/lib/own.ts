import * as pulumi from "@pulumi/pulumi";
import { ownNames } from "../../components/strength/words.ts";

/** The stack's config, as the engine tells it to a policy pack: the values of secrets too. */
export const stackConfig = (): Readonly<Record<string, string>> => pulumi.runtime.allConfig();

/** The further domains that a config names; none where it cannot be read, which the program refuses. */
function furtherDomains(text: string): readonly string[] {
  try {
    return Object.keys((JSON.parse(text) as object | null) ?? {});
  } catch {
    return [];
  }
}

/** The stack's own names, which are no secrets: the parts of its domains. */
export function own(): readonly string[] {
  const { "autollm:domain": domain = "localhost", "autollm:domains": further = "{}" } = stackConfig();
  return [domain, ...furtherDomains(further)].flatMap(ownNames);
}
