import { label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { hasUnknown, isUnknown, record, texts } from "../lib/value.ts";

/** Commands that are healthy whatever happens. */
const EMPTY = /^(exit 0|true|:|\/bin\/true)$/;

export const containerHealthChecked: ResourceRule = {
  name: "container-health-checked",
  title: "A container says whether it is healthy",
  level: "mandatory",
  severity: "medium",
  why: "Without a check a deploy goes on to break the next service, and the watchdog cannot restart what hangs.",
  mend: 'set healthcheck.tests to ["CMD", …] of a command that fails when the service cannot serve',
  types: [CONTAINER],
  *check(subject) {
    if (label(subject, "autollm.deploy") === "on-demand" || isUnknown(subject.props.healthcheck)) return;
    const { tests } = record(subject.props.healthcheck);
    if (hasUnknown(tests)) return;
    const [kind = "NONE", ...command] = texts(tests);
    if (kind === "NONE" || command.length === 0) yield { key: "healthcheck", problem: "is missing" };
    else if (EMPTY.test(command.join(" ").trim())) yield { key: "healthcheck.tests", problem: "can never fail" };
  },
};
