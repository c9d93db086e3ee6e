import type { ResourceRule } from "../lib/rule.ts";
import { NETWORK } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";
import { OPEN_SEGMENTS } from "../segments.ts";

export const networkInternal: ResourceRule = {
  name: "network-internal",
  title: `A network has no way out of the host, but for ${OPEN_SEGMENTS.join(" and ")}`,
  level: "mandatory",
  severity: "high",
  why: "A database that can call out can send the data out.",
  mend: "set internal: true, and let what calls the internet join the segment egress as well",
  types: [NETWORK],
  *check({ name, props: { internal, driver } }) {
    if (internal !== true && !isUnknown(internal) && !OPEN_SEGMENTS.includes(name.replace(/^segment-/, ""))) {
      yield { key: "internal", problem: "is not true" };
    }
    if (["host", "macvlan", "ipvlan"].includes(text(driver) ?? "")) {
      yield { key: "driver", problem: "puts containers into the host's own network", mend: "use the driver bridge" };
    }
  },
};
