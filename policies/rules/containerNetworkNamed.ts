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
  why: "A container that names no network joins Docker's default bridge, with other stacks' containers and a way to the internet.",
  fix: 'set networkMode: "none", or name its networks in networksAdvanced',
  types: [CONTAINER],
  *check({ props: { networkMode, networksAdvanced } }) {
    const mode = text(networkMode) ?? "";
    if (!isUnknown(networkMode) && !["", "bridge", "none"].includes(mode)) {
      const fix = 'set networkMode: "bridge" where networksAdvanced names networks, else "none"';
      yield { key: "networkMode", problem: "is neither bridge nor none", fix };
    }
    const networks = list(networksAdvanced);
    for (const [index, network] of networks.entries()) {
      if (DOCKERS_OWN.includes(text(record(network).name)?.toLowerCase() ?? "")) {
        const fix = "name a network of the stack";
        yield { key: `networksAdvanced[${index}].name`, problem: "is a network of Docker's own", fix };
      }
    }
    if (networks.length === 0 && !isUnknown(networksAdvanced) && !isUnknown(networkMode) && mode !== "none") {
      yield { key: "networkMode", problem: "is not none, and networksAdvanced names no network" };
    }
  },
};
