import * as pulumi from "@pulumi/pulumi";
import { ownNames } from "../../components/strength/words.ts";

/** The stack's config, as the engine tells it to a policy pack: the values of secrets too. */
export const stackConfig = (): Readonly<Record<string, string>> => pulumi.runtime.allConfig();

/** The stack's own names, which are no secrets: the parts of its domain. */
export function own(): readonly string[] {
  return ownNames(stackConfig()["autollm:domain"] ?? "localhost");
}
