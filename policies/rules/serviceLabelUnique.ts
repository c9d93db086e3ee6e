import { service } from "../lib/labels.ts";
import type { StackFinding, StackRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";

export const serviceLabelUnique: StackRule = {
  name: "service-label-unique",
  title: "One container claims a service's name",
  level: "mandatory",
  severity: "critical",
  why: "Pulumi keeps names unique per type and parent only, so a second container elsewhere in the program could take the first one's rights.",
  fix: "give the second one a name of its own",
  *checkStack(subjects): Generator<StackFinding> {
    const seen = new Map<string, string>();
    for (const subject of subjects.filter(({ type }) => type === CONTAINER)) {
      const name = service(subject);
      const first = seen.get(name);
      if (first === undefined) seen.set(name, subject.urn);
      else yield { subject, key: "labels autollm.service", problem: `is ${name}, which another container claims` };
    }
  },
};
