import { BlockList, isIP, isIPv6 } from "node:net";

/** A private network that containers may reach, by address or CIDR, on all ports or on those named (TCP and UDP). */
export interface PrivateDestination {
  readonly network: string;
  readonly ports?: readonly number[] | undefined;
}

/** Bridges of Docker's networks. */
export const BRIDGES = '{ "docker0", "docker_gwbridge", "br-*" }';

/** Networks that a config may open to containers: RFC 1918, RFC 6598 (carriers and overlay networks), RFC 2544, RFC 4193. */
const declarable = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7"];

/**
 * What no config opens. Cloud metadata services hand credentials of the machine to anybody who asks: 169.254.169.254 and its
 * neighbours (most clouds), 168.63.129.16 (Azure), 100.100.100.200 (Alibaba), 192.0.0.192 (Oracle), fd00:ec2:: (AWS),
 * fd20:ce::254 (Google), fd00:42::42 (Scaleway). The rest is the IANA registry of special-purpose addresses (RFC 6890).
 */
const closed = {
  ipv4: [
    "0.0.0.0/8",
    "100.100.100.200",
    "127.0.0.0/8",
    "168.63.129.16",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
  ],
  ipv6: ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fd00:42::42", "fd00:ec2::/32", "fd20:ce::254"],
} as const;

/** All that may be routed on the internet; the ranges of `closed` lie within it or within `declarable`. */
const PUBLIC_IPV6 = "2000::/3";

const set = (items: readonly (string | number)[]): string => `{ ${items.join(", ")} }`;
const family = (network: string): "ipv4" | "ipv6" => (isIPv6(network.split("/")[0] ?? "") ? "ipv6" : "ipv4");
const keyword = (network: string): string => (family(network) === "ipv6" ? "ip6" : "ip");

/** Whether a network lies in a range with all its addresses. */
function within(network: string, range: string): boolean {
  const kind = family(network);
  const full = kind === "ipv6" ? 128 : 32;
  const [address = "", bits = full] = network.split("/");
  const [start = "", rangeBits = full] = range.split("/");
  if (family(range) !== kind || Number(bits) < Number(rangeBits)) return false;
  const list = new BlockList();
  list.addSubnet(start, Number(rangeBits), kind);
  return list.check(address, kind);
}

/** The range, closed whatever the config says, in which a network lies; undefined for any other. */
export const closedRange = (network: string): string | undefined =>
  [...closed.ipv4, ...closed.ipv6].find((range) => within(network, range));

/** Whether a network is a private one, which containers reach only where the config opens it. */
export const isPrivate = (network: string): boolean => declarable.some((range) => within(network, range));

/** What is wrong with a declared destination; undefined when nothing is. */
export function destinationFault(network: string): string | undefined {
  const never = closedRange(network);
  if (never !== undefined) return `lies in ${never}, which stays closed: a cloud's metadata service or a special range`;
  if (isPrivate(network)) return undefined;
  return `is not inside one private range (${declarable.join(", ")}); public addresses need no entry`;
}

function allow({ network, ports }: PrivateDestination): string {
  const to = ports === undefined ? "" : ` meta l4proto { tcp, udp } th dport ${set(ports)}`;
  return `    ${keyword(network)} daddr ${network}${to} accept`;
}

/**
 * nft's chain for what leaves a container: the internet, the other members of its network, and what is declared.
 * @param address the host's own address as the config names it; a name is left out
 */
export function egressChain(destinations: readonly PrivateDestination[], address: string): readonly string[] {
  const ofFamily = (kind: "ipv4" | "ipv6") => declarable.filter((range) => family(range) === kind);
  return [
    "  # Filled when the rules are loaded: Docker asks the host's name servers from the address of the container that asks.",
    "  set resolvers4 { type ipv4_addr; }",
    "  set resolvers6 { type ipv6_addr; }",
    "  chain egress {",
    "    # A published port is an address of the host.",
    `    oifname ${BRIDGES} ct status dnat counter drop`,
    "    # Docker keeps its networks apart, and so does this table from all that is no bridge.",
    `    oifname ${BRIDGES} accept`,
    "    ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 accept",
    "    ip6 daddr @resolvers6 meta l4proto { tcp, udp } th dport 53 accept",
    `    ip daddr ${set(closed.ipv4)} counter drop`,
    `    ip6 daddr ${set(closed.ipv6)} counter drop`,
    ...(isIP(address) === 0 ? [] : [`    ${keyword(address)} daddr ${address} counter drop`]),
    ...destinations.map(allow),
    `    ip daddr ${set(ofFamily("ipv4"))} counter drop`,
    `    ip6 daddr != ${PUBLIC_IPV6} counter drop`,
    "    accept",
    "  }",
  ];
}
