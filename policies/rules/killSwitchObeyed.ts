import { isExecutor, isServiceName } from "../../components/platform/catalogue.ts";
import { KILL_SWITCH_MOUNT } from "../../components/platform/killSwitch.ts";
import { WRAPPED } from "../../components/platform/wrapper.ts";
import { service } from "../lib/labels.ts";
import { isKillSwitch } from "../lib/mounts.ts";
import type { Finding, ResourceRule, Subject } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, list, record, text } from "../lib/value.ts";

/** The command line's first words, as far as they are known. */
function startsWrapped({ props }: Subject): boolean {
  if (isUnknown(props.entrypoints) || isUnknown(props.command)) return true;
  const words = [...list(props.entrypoints), ...list(props.command)];
  return WRAPPED.every((word, index) => isUnknown(words[index]) || text(words[index]) === word);
}

function* check(subject: Subject): Generator<Finding> {
  const workload = service(subject);
  if (!isServiceName(workload) || !isExecutor(workload)) return;
  const { mounts } = subject.props;
  const sees =
    isUnknown(mounts) ||
    list(mounts).some((each) => {
      const { source, target, readOnly } = record(each);
      return text(target) === KILL_SWITCH_MOUNT && readOnly === true && (isUnknown(source) || isKillSwitch(source));
    });
  if (!sees) yield { key: "mounts", problem: `has no read-only mount of the kill switch at ${KILL_SWITCH_MOUNT}` };
  if (!startsWrapped(subject)) yield { key: "command", problem: `does not begin with ${WRAPPED.join(" ")}` };
}

export const killSwitchObeyed: ResourceRule = {
  name: "kill-switch-obeyed",
  title: "Each executor has the kill switch mounted, and is started by the wrapper that waits until it is off",
  level: "mandatory",
  severity: "critical",
  why: "A program may ignore the switch: an executor that is started while it is on would trade.",
  fix: "let components/platform/services.ts start each workload that receives approved orders",
  types: [CONTAINER],
  check,
};
