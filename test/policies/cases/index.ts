import { allowedCases } from "./allowed.ts";
import { containersCases } from "./containers.ts";
import { credentialsCases } from "./credentials.ts";
import { stackCases } from "./stack.ts";
import type { RuleCases } from "./types.ts";
import { worldCases } from "./world.ts";

/** For each rule, resources that it lets through and resources that it refuses. */
export const cases: Readonly<Record<string, RuleCases>> = {
  ...allowedCases,
  ...containersCases,
  ...worldCases,
  ...credentialsCases,
  ...stackCases,
};
