import type { ResourceRule } from "../lib/rule.ts";
import { VOLUME } from "../lib/types.ts";
import { isUnknown, list, record, text } from "../lib/value.ts";

export const volumePlain: ResourceRule = {
  name: "volume-plain",
  title: "A volume is Docker's own directory",
  level: "mandatory",
  severity: "high",
  why: "With options, a volume can be a directory of the host, a network share or an overlay of either; with a driver, a plugin.",
  fix: "remove it: Docker's driver local, without options, is all that the platform needs",
  types: [VOLUME],
  *check({ props: { driver, driverOpts, cluster } }) {
    if (!isUnknown(driver) && !["", "local"].includes(text(driver) ?? ""))
      yield { key: "driver", problem: "is not local" };
    if (isUnknown(driverOpts) || Object.keys(record(driverOpts)).length > 0)
      yield { key: "driverOpts", problem: "has options" };
    if (list(cluster).length > 0 || Object.keys(record(cluster)).length > 0)
      yield { key: "cluster", problem: "is set" };
  },
};
