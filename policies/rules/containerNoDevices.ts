import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isMissing } from "../lib/value.ts";

const KEYS = [
  "devices",
  "deviceCgroupRules",
  "deviceRequests",
  "deviceReadBps",
  "deviceReadIops",
  "deviceWriteBps",
  "deviceWriteIops",
  "gpus",
  "cgroupParent",
] as const;

export const containerNoDevices: ResourceRule = {
  name: "container-no-devices",
  title: "A container gets no device of the host and stays in Docker's own control group",
  level: "mandatory",
  severity: "high",
  why: "A disk's device exposes the whole disk, regardless of file modes; another control group escapes the limits.",
  fix: "remove it; no component needs one",
  types: [CONTAINER],
  *check({ props }) {
    for (const key of KEYS) if (!isMissing(props[key])) yield { key, problem: "is set" };
  },
};
