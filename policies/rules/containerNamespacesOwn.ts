import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-namespaces-own";
/** The namespaces that a container has, and the modes in which they are its own; any other mode removes an isolation. */
const MODES = {
  pidMode: ["", "private"],
  ipcMode: ["", "private", "none"],
  usernsMode: [""],
  cgroupnsMode: ["", "private"],
} as const;

const told = (mode: string) =>
  mode === "host"
    ? "is host"
    : mode.startsWith("container:")
      ? "joins another container's"
      : "is not the container's own";

export const containerNamespacesOwn: ResourceRule = {
  name: NAME,
  title: "A container shares no namespace with the host or with another container",
  level: "mandatory",
  severity: "critical",
  why: "With the host's network it opens any port past the firewall; with the host's processes it reads their memory.",
  fix: "remove it, and join the network segments that are needed",
  types: [CONTAINER],
  *check(subject) {
    // The network's mode has a rule of its own, container-network-named, which knows more; these two are told here as ever.
    const network = text(subject.props.networkMode) ?? "";
    if (network === "host" || network.startsWith("container:")) yield { key: "networkMode", problem: told(network) };
    for (const [mode, own] of Object.entries(MODES)) {
      const value = text(subject.props[mode])?.toLowerCase() ?? "";
      if (!(own as readonly string[]).includes(value) && !waived(NAME, service(subject), mode)) {
        yield { key: mode, problem: told(value) };
      }
    }
  },
};
