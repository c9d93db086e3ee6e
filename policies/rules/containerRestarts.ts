import { label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";

export const containerRestarts: ResourceRule = {
  name: "container-restarts",
  title: "A container comes back after a crash and after a reboot",
  level: "mandatory",
  severity: "medium",
  why: "Without a restart policy, a reboot of the host is an outage until an operator notices.",
  fix: 'set restart: "unless-stopped", or the label autollm.deploy=on-demand for a job',
  types: [CONTAINER],
  *check(subject) {
    const { restart } = subject.props;
    const deploy = label(subject, "autollm.deploy");
    if (isUnknown(restart) || isUnknown(deploy)) return;
    const policy = text(restart) ?? "";
    if (deploy === "on-demand") {
      if (!["", "no"].includes(policy))
        yield { key: "restart", problem: "starts a job again", fix: 'set restart: "no"' };
    } else if (!["always", "unless-stopped"].includes(policy)) {
      yield { key: "restart", problem: "is not unless-stopped" };
    }
  },
};
