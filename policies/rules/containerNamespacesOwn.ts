import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-namespaces-own";
/** Where each of these is the host's, or another container's, a wall is gone. */
const MODES = ["networkMode", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode"] as const;

export const containerNamespacesOwn: ResourceRule = {
  name: NAME,
  title: "A container shares no namespace with the host or with another container",
  level: "mandatory",
  severity: "critical",
  why: "With the host's network it opens any port past the firewall; with the host's processes it reads their memory.",
  mend: "remove it, and join the network segments that are needed",
  types: [CONTAINER],
  *check(subject) {
    for (const mode of MODES) {
      const value = text(subject.props[mode])?.toLowerCase() ?? "";
      if ((value === "host" || value.startsWith("container:")) && !waived(NAME, service(subject), mode)) {
        yield { key: mode, problem: value === "host" ? "is host" : "joins another container's" };
      }
    }
  },
};
