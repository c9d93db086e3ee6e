import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isMissing, isUnknown, type Value } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-resources-limited";
const isPositive = (value: Value) => isUnknown(value) || (typeof value === "number" && value > 0);

export const containerResourcesLimited: ResourceRule = {
  name: NAME,
  title: "A container's memory, swap and CPU are limited",
  level: "mandatory",
  severity: "medium",
  why: "One leaking service takes the memory of all others, and the kernel then kills any of them, even the database.",
  fix: "set memory, memorySwap (the same number: no swap on top) and cpuShares",
  types: [CONTAINER],
  *check(subject) {
    const { memory, memorySwap, cpuShares, cpus, cpuQuota } = subject.props;
    if (waived(NAME, service(subject))) return;
    if (!isPositive(memory)) yield { key: "memory", problem: "is not limited", fix: "set memory, in MiB" };
    if (typeof memory === "number" && !isUnknown(memorySwap) && memorySwap !== memory) {
      yield { key: "memorySwap", problem: "differs from memory", fix: "set memorySwap to the same number as memory" };
    }
    if (!isPositive(cpuShares) && !isPositive(cpuQuota) && isMissing(cpus)) {
      yield { key: "cpuShares", problem: "is not set", fix: "set cpuShares, relative to 1024" };
    }
  },
};
