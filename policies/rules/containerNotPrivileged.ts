import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";

export const containerNotPrivileged: ResourceRule = {
  name: "container-not-privileged",
  title: "No container is privileged",
  level: "mandatory",
  severity: "critical",
  why: "A privileged container is root on the host: none of its other limits has an effect.",
  fix: "remove privileged, and add the one capability that is needed",
  types: [CONTAINER],
  *check({ props }) {
    if (props.privileged === true) yield { key: "privileged", problem: "is true" };
  },
};
