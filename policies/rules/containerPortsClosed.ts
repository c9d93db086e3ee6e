import { service } from "../lib/labels.ts";
import type { Finding, ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, list, type Props, record, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-ports-closed";
const PUBLIC_PORTS = [80, 443];

function isLoopback(address: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(address) || /^\[?(0*:)*:?0*1\]?$/.test(address) || address === "localhost";
}

export const containerPortsClosed: ResourceRule = {
  name: NAME,
  title: "Only the edge publishes ports: 80 and 443, or any on the loopback",
  level: "mandatory",
  severity: "critical",
  why: "Docker's published ports bypass the host's firewall: that exposed databases, NATS, IB's API and VNC to the internet before.",
  fix: "reach the service by its name inside a segment, or through Caddy",
  types: [CONTAINER],
  *check(subject) {
    const { ports, publishAllPorts } = subject.props;
    if (publishAllPorts === true) yield { key: "publishAllPorts", problem: "is true", fix: "remove it" };
    const mayPublish = waived(NAME, service(subject));
    for (const [index, port] of list(ports).entries()) {
      if (isUnknown(port)) continue;
      yield* checkPort(`ports[${index}]`, record(port), mayPublish);
    }
  },
};

function* checkPort(key: string, port: Props, mayPublish: boolean): Generator<Finding> {
  const { internal, external, ip } = port;
  if (!mayPublish) {
    yield { key, problem: `publishes ${String(internal)}, and only edge-sockets may publish` };
    return;
  }
  if (isUnknown(ip) || isUnknown(external) || isLoopback(text(ip) ?? "")) return;
  if (typeof external !== "number" || !PUBLIC_PORTS.includes(external)) {
    yield {
      key,
      problem: `publishes ${typeof external === "number" ? external : "a random port"} on ${text(ip) ?? "every address"}`,
      fix: "publish 80 or 443, or set ip to 127.0.0.1",
    };
  }
}
