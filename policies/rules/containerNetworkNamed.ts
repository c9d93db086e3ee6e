import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, list, record, text } from "../lib/value.ts";

/** Networks that Docker brings along, which belong to no stack. */
const DOCKERS_OWN = ["bridge", "host", "none", "default", "ingress", "docker_gwbridge", "nat"];

export const containerNetworkNamed: ResourceRule = {
  name: "container-network-named",
  title: "A container joins networks of the stack, or has none",
  level: "mandatory",
  severity: "high",
  why: "A container that names no network lands on Docker's default bridge, beside strangers and with a way to the internet.",
  mend: 'set networkMode: "none", or name its networks in networksAdvanced',
  types: [CONTAINER],
  *check({ props: { networkMode, networksAdvanced } }) {
    const mode = text(networkMode) ?? "";
    if (!isUnknown(networkMode) && !["", "bridge", "none"].includes(mode)) {
      const mend = 'set networkMode: "bridge" where networksAdvanced names networks, else "none"';
      yield { key: "networkMode", problem: "is neither bridge nor none", mend };
    }
    const networks = list(networksAdvanced);
    for (const [index, network] of networks.entries()) {
      if (DOCKERS_OWN.includes(text(record(network).name)?.toLowerCase() ?? "")) {
        const mend = "name a network of the stack";
        yield { key: `networksAdvanced[${index}].name`, problem: "is a network of Docker's own", mend };
      }
    }
    if (networks.length === 0 && !isUnknown(networksAdvanced) && !isUnknown(networkMode) && mode !== "none") {
      yield { key: "networkMode", problem: "is not none, and networksAdvanced names no network" };
    }
  },
};
