import { label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown } from "../lib/value.ts";

export const serviceLabelOwn: ResourceRule = {
  name: "service-label-own",
  title: "A container's label autollm.service is the name of its own resource",
  level: "mandatory",
  severity: "critical",
  why: "Grants, segments, volumes and waivers are assigned by this label: a container with another workload's label gets all of that workload's rights.",
  fix: "run it as a Workload, which sets the label autollm.service to its name",
  types: [CONTAINER],
  *check(subject) {
    const claimed = label(subject, "autollm.service");
    if (isUnknown(claimed) || claimed === subject.name) return;
    const problem = claimed === undefined || claimed === "" ? "is missing" : `is ${claimed}, which is another's name`;
    yield { key: "labels autollm.service", problem };
  },
};
