import type { ResourceRule } from "../lib/rule.ts";
import { OWN_COMPONENTS, RESOURCE_TYPES } from "../resourceTypes.ts";

export const resourceListed: ResourceRule = {
  name: "resource-listed",
  title: "A resource has a type that the program uses",
  level: "mandatory",
  severity: "high",
  why: "No rule refuses a type that no rule knows: a Swarm service, a Docker plugin or code in the state would bypass all of them.",
  fix: "use a Workload, or list the type in policies/resourceTypes.ts and write the rules that judge it",
  types: "every",
  *check({ type }) {
    if (!RESOURCE_TYPES.includes(type) && !OWN_COMPONENTS.test(type)) {
      yield { key: "type", problem: `is ${type}, which no rule knows` };
    }
  },
};
