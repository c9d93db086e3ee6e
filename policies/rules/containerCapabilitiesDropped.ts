import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { hasUnknown, isUnknown, record, texts } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-capabilities-dropped";
/** A capability as capabilities(7) names it: a daemon takes it without its prefix, and in any case. */
const fullName = (capability: string) => capability.toUpperCase().replace(/^(CAP_)?/, "CAP_");

export const containerCapabilitiesDropped: ResourceRule = {
  name: NAME,
  title: "A container drops all capabilities and adds back only what is waived",
  level: "mandatory",
  severity: "high",
  why: "Docker's default capabilities let a compromised program forge packets, change owners and bypass file modes.",
  fix: 'set drops: ["ALL"] and list each capability that is added, with its reason, in policies/waivers.ts',
  types: [CONTAINER],
  *check(subject) {
    const { capabilities } = subject.props;
    if (isUnknown(capabilities)) return;
    const { drops, adds } = record(capabilities);
    if (!hasUnknown(drops) && !texts(drops).some((drop) => drop.toUpperCase() === "ALL")) {
      yield { key: "capabilities.drops", problem: "lacks ALL", fix: 'set capabilities.drops to ["ALL"]' };
    }
    for (const added of texts(adds).map(fullName)) {
      if (!waived(NAME, service(subject), added)) {
        yield {
          key: "capabilities.adds",
          problem: `has ${added}, which has no waiver`,
          fix: `do without ${added}, or list it with its reason in policies/waivers.ts`,
        };
      }
    }
  },
};
