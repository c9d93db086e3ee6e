import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-root-read-only";

export const containerRootReadOnly: ResourceRule = {
  name: NAME,
  title: "A container's root file system is read-only",
  level: "mandatory",
  severity: "high",
  why: "An attacker who breaks into a program cannot replace it or leave tools behind.",
  fix: "set readOnly: true, and mount a volume or a tmpfs at the paths that are written",
  types: [CONTAINER],
  *check(subject) {
    const { readOnly } = subject.props;
    if (readOnly !== true && !isUnknown(readOnly) && !waived(NAME, service(subject))) {
      yield { key: "readOnly", problem: "is not true" };
    }
  },
};
