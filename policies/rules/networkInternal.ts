import type { ResourceRule } from "../lib/rule.ts";
import { NETWORK } from "../lib/types.ts";
import { hasUnknown, isUnknown, record, text } from "../lib/value.ts";
import { OPEN_SEGMENTS } from "../segments.ts";

const MEMBERS_TALK = "com.docker.network.bridge.enable_icc";

export const networkInternal: ResourceRule = {
  name: "network-internal",
  title: `A network has no way out of the host, except ${OPEN_SEGMENTS.join(" and ")}, whose members do not reach each other`,
  level: "mandatory",
  severity: "high",
  why: "A database that can call out can send its data out, and without this every container that calls the internet could reach IB Gateway's API.",
  fix: "set internal: true, and let workloads that call the internet join the segment egress as well",
  types: [NETWORK],
  *check({ name, props: { internal, driver, options } }) {
    if (internal !== true && !isUnknown(internal)) {
      if (!OPEN_SEGMENTS.includes(name.replace(/^segment-/, ""))) yield { key: "internal", problem: "is not true" };
      else if (!hasUnknown(options) && record(options)[MEMBERS_TALK] !== "false") {
        const fix = `set options["${MEMBERS_TALK}"] to "false"`;
        yield { key: "options", problem: "lets its members reach each other", fix };
      }
    }
    if (["host", "macvlan", "ipvlan"].includes(text(driver) ?? "")) {
      yield { key: "driver", problem: "puts containers into the host's own network", fix: "use the driver bridge" };
    }
  },
};
