import { label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { hasUnknown, isUnknown, record, texts } from "../lib/value.ts";

/** Commands that always succeed. */
const EMPTY = /^(exit 0|true|:|\/bin\/true)$/;

export const containerHealthChecked: ResourceRule = {
  name: "container-health-checked",
  title: "A container has a health check",
  level: "mandatory",
  severity: "medium",
  why: "Without a health check a deploy goes on and breaks the next service, and the watchdog cannot restart a container that hangs.",
  fix: 'set healthcheck.tests to ["CMD", …] with a command that fails if the service cannot serve',
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
