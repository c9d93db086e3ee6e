import { CONTAINER_INPUTS } from "../containerInputs.ts";
import { mayJoin } from "../lib/groups.ts";
import { service } from "../lib/labels.ts";
import type { Finding, ResourceRule, Subject } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isMissing, isUnknown, list, type Value } from "../lib/value.ts";

const LIST = "policies/containerInputs.ts";
/** An input that equals the provider's own default. */
const isNothing = (value: Value) =>
  isMissing(value) ||
  value === false ||
  value === 0 ||
  (value === Object(value) && Object.keys(Object(value)).length === 0);

const FIX: Readonly<Record<string, string>> = {
  volumes: "use mounts, whose sources the rules know",
  uploads: "mount a file of the workload's own",
  runtime: "remove it: the host has one runtime",
};

/** Further groups of the user, which lets it into others' files. */
function* groups(subject: Subject): Generator<Finding> {
  const { groupAdds } = subject.props;
  for (const [index, group] of list(groupAdds).entries()) {
    if (isUnknown(group) || mayJoin(service(subject), String(group))) continue;
    yield {
      key: `groupAdds[${index}]`,
      problem: "is a group for which it has no waiver, and whose volumes it does not share",
      fix: "remove it, or waive it in policies/waivers.ts",
    };
  }
}

export const containerInputsListed: ResourceRule = {
  name: "container-inputs-listed",
  title: "A container has only inputs that the rules know",
  level: "mandatory",
  severity: "high",
  why: "Docker has inputs that bypass most limits: another container's volumes, groups, runtimes, devices, host names, kernel settings.",
  fix: `remove it, or list it in ${LIST} and write the rule that judges it`,
  types: [CONTAINER],
  *check(subject) {
    const { props } = subject;
    for (const [key, value] of Object.entries(props)) {
      // What begins with two underscores is the engine's own note.
      if (key.startsWith("__") || isNothing(value)) continue;
      const allowed = Object.hasOwn(CONTAINER_INPUTS, key) ? CONTAINER_INPUTS[key] : undefined;
      const own = FIX[key];
      const fix = own === undefined ? {} : { fix: own };
      if (allowed === undefined) yield { key, problem: "is an input that no rule knows", ...fix };
      else if (allowed !== "any" && !isUnknown(value) && !allowed.some((one) => one === value))
        yield { key, problem: `is not ${allowed.join(" or ")}`, ...fix };
    }
    yield* groups(subject);
  },
};
