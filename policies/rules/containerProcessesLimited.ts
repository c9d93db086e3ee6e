import { service } from "../lib/labels.ts";
import type { StackFinding, StackRule } from "../lib/rule.ts";
import { COMMANDS, CONTAINER } from "../lib/types.ts";
import { hasUnknown, text } from "../lib/value.ts";

/** More processes and threads than this mean a runaway program. */
const MAX_PROCESSES = 8192;

export const containerProcessesLimited: StackRule = {
  name: "container-processes-limited",
  title: "A container's processes are limited",
  level: "mandatory",
  severity: "medium",
  why: "A fork bomb in one container uses up the host's process ids.",
  fix: `run it as a Workload, whose command NAME-processes sets a limit of ${MAX_PROCESSES} or less (the docker provider has none)`,
  *checkStack(subjects): Generator<StackFinding> {
    for (const subject of subjects.filter(({ type }) => type === CONTAINER)) {
      const command = subjects.find(
        ({ type, name }) => (COMMANDS as readonly string[]).includes(type) && name === `${service(subject)}-processes`,
      );
      if (command !== undefined && hasUnknown(command.props.create)) continue;
      const limit = / update --pids-limit (\d+) /.exec(text(command?.props.create) ?? "")?.[1];
      if (limit === undefined) yield { subject, key: "its processes", problem: "have no limit" };
      else if (Number(limit) < 1 || Number(limit) > MAX_PROCESSES)
        yield { subject, key: `command "${command?.name}"`, problem: `sets ${limit}, which is no limit` };
    }
  },
};
