import { BlockList, isIPv6 } from "node:net";

/** The shortest prefix that a list of proxies may name: any shorter one contains addresses of other owners. */
const SHORTEST = { ipv4: 8, ipv6: 16 } as const;

function parts(network: string) {
  const [address = "", bits] = network.split("/");
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  return { address, family, bits: bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits) } as const;
}

/** Whether two addresses or networks have an address in common. */
export function overlap(one: string, other: string): boolean {
  const [wide, narrow] = [parts(one), parts(other)].sort((a, b) => a.bits - b.bits);
  if (wide === undefined || narrow === undefined || wide.family !== narrow.family) return false;
  const list = new BlockList();
  list.addSubnet(wide.address, wide.bits, wide.family);
  return list.check(narrow.address, narrow.family);
}

/** What is wrong with networks of proxies before the edge, beside networks for administrators. */
export function proxyFaults(trustedProxies: readonly string[], adminNetworks: readonly string[]): string[] {
  return trustedProxies.flatMap((proxy) => {
    const { bits, family } = parts(proxy);
    if (bits < SHORTEST[family])
      return [
        `${proxy} would let any client claim any address; name the proxies' own networks, /${SHORTEST[family]} or longer`,
      ];
    return adminNetworks
      .filter((network) => overlap(proxy, network))
      .map(
        (network) =>
          `${proxy} overlaps ${network} of adminNetworks: a request whose proxy does not name the client would count as an administrator's`,
      );
  });
}
