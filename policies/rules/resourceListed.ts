import type { ResourceRule } from "../lib/rule.ts";
import { OWN_COMPONENTS, RESOURCE_TYPES } from "../resourceTypes.ts";

export const resourceListed: ResourceRule = {
  name: "resource-listed",
  title: "A resource is of a type that the program uses",
  level: "mandatory",
  severity: "high",
  why: "What no rule knows no rule refuses: a service of Swarm, a plugin of Docker and code in the state run past all of them.",
  mend: "use a Workload, or list the type in policies/resourceTypes.ts and write the rules that judge it",
  types: "every",
  *check({ type }) {
    if (!RESOURCE_TYPES.includes(type) && !OWN_COMPONENTS.test(type)) {
      yield { key: "type", problem: `is ${type}, which no rule knows` };
    }
  },
};
