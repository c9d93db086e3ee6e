import { portsIn } from "../../components/ports.ts";
import { isOpen, type SegmentName, segmentSpecs, sharedSegments } from "../../components/segments.ts";

/** A workload and the segments that it joins. */
export interface Member {
  readonly name: string;
  readonly segments: readonly SegmentName[];
}

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
const list = (items: readonly string[]) => items.join(", ") || "nobody";

/** The ports of a workload that another reaches, by the segments that they share. */
function reached(from: Member, to: Member): number[] {
  const ports = sharedSegments(from.segments, to.segments).flatMap((segment) => portsIn(to.name, segment, false));
  return [...new Set(ports)].sort((a, b) => a - b);
}

const withPorts = (name: string, ports: readonly number[]) => `${name} ${ports.join("+")}`;

/** The page docs/segments.md. */
export function segmentsPage(members: readonly Member[]): string {
  const order = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  const inside = (segment: SegmentName) => order.filter(({ segments }) => segments.includes(segment));
  const ports = (name: string, segment: SegmentName) => portsIn(name, segment, false);
  return `# Segments

This page is generated from the program (\`tools/docs/segments.ts\`); a test keeps it true. Another test (\`test/e2e/segments.test.ts\`) tries every connection, allowed or not, from inside each container's network, and from a hostile container in each segment.

A segment is a Docker network. Members of an internal segment reach the members that listen in it, and it has no way out of the host. A component that only calls in a segment listens elsewhere, so no member reaches it there. The rules:

- A service is called in the segment of its own name: by Prometheus, and by the edge or Alertmanager if they forward to it.
- It calls its stores and the collector of traces in \`SERVICE-calls\`, and another service in \`SERVICE-to-OTHER\`. So two services share a segment only if one calls the other.
- Each component that must not be open to everybody has a segment of its name, with itself and its callers.

All of it follows from \`needs\` and \`routes\` in the catalogue, and from \`components/segments.ts\` for the components.

${table(
  ["segment", "for", "listens", "calls only"],
  segmentSpecs().map(({ name, purpose }) => [
    name,
    purpose,
    ...(isOpen(name)
      ? ["its members do not reach each other", list(inside(name).map((each) => each.name))]
      : [
          list(
            inside(name).flatMap((each) => {
              const open = ports(each.name, name);
              return open.length === 0 ? [] : [withPorts(each.name, open)];
            }),
          ),
          list(inside(name).flatMap((each) => (ports(each.name, name).length === 0 ? [each.name] : []))),
        ]),
  ]),
)}

Ports are TCP; Caddy's 8443 is UDP too. From outside, only Caddy's published ports are reachable.

## What each workload reaches

A workload reaches these ports and no others. Alertmanager has a way out only if Slack, PagerDuty or a heartbeat is set up, the backup only with a second repository, IB Gateway only as the real one (the stand-in listens on 4001 and 4002).

A service listens at the address in \`HTTP_LISTEN\`. If an image ignores this and listens on every address, it can be called in \`SERVICE-calls\` and \`SERVICE-to-OTHER\` as well, by the members that listen there, and by no other.

${table(
  ["from", "reaches", "way out"],
  order.map((from) => [
    from.name,
    list(
      order.flatMap((to) => {
        const open = from === to ? [] : reached(from, to);
        return open.length === 0 ? [] : [withPorts(to.name, open)];
      }),
    ),
    from.segments.some(isOpen) ? "yes" : "",
  ]),
)}

## What reaches each workload

${table(
  ["workload", "reached by"],
  order.map((to) => [
    to.name,
    list(order.flatMap((from) => (from !== to && reached(from, to).length > 0 ? [from.name] : []))),
  ]),
)}

## Addresses

The networks take their addresses from the stack's range, \`networkRange\`, a private /20: Docker's own pools are enough for 31 networks on a whole machine, and a stack has more. For a stack on this machine, \`./autollm up\` chooses a range that no Docker network and no route of the machine uses, and stores it in the stack's config. Elsewhere it is \`10.213.0.0/20\` unless the config says otherwise. If another network on the host is given the same addresses later, Docker refuses the second one with "Pool overlaps with other one on this address space": set another range. A change gives every network new addresses, so all containers are replaced.

A container reaches the host itself at its network's first address. If the program set up the host, the host's firewall refuses that (\`docs/host.md\`); on your own machine, programs that listen on all addresses answer there.
`;
}
