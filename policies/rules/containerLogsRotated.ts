import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isMissing, isUnknown, record, text } from "../lib/value.ts";

/** Drivers that keep nothing on the host's disk without end: `local` rotates by itself. */
const FINE = ["local", "journald", "none"];

export const containerLogsRotated: ResourceRule = {
  name: "container-logs-rotated",
  title: "A container's log is rotated",
  level: "mandatory",
  severity: "medium",
  why: "Docker's log files grow until the disk is full and the databases stop.",
  fix: 'set logDriver: "json-file" and logOpts: { "max-size": "10m", "max-file": "3" }',
  types: [CONTAINER],
  *check({ props: { logDriver, logOpts } }) {
    if (isUnknown(logDriver) || isUnknown(logOpts) || FINE.includes(text(logDriver) ?? "")) return;
    // Unset is the daemon's default, which the program does not know.
    if (logDriver !== "json-file") yield { key: "logDriver", problem: "is not json-file" };
    for (const option of ["max-size", "max-file"]) {
      const value = record(logOpts)[option];
      if (isMissing(value) || value === "-1") yield { key: `logOpts.${option}`, problem: "is not set" };
    }
  },
};
