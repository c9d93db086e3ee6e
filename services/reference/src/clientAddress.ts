import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** How long the addresses of a proxy's name are believed; a redeployed proxy has a new one. */
const NAME_TTL_MS = 2000;

/** An address without the IPv6 form of IPv4. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

type Resolve = (name: string) => Promise<readonly string[]>;

const resolveByDns: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/**
 * The client of a request. X-Forwarded-For is believed only from a trusted proxy, and then only its last entry:
 * the proxy wrote that one, anything before it is the client's word.
 */
export class ClientAddress {
  readonly #ranges = new BlockList();
  readonly #names: string[] = [];
  readonly #resolve: Resolve;
  #resolved: ReadonlySet<string> = new Set();
  #resolvedAt = 0;

  /** @param trusted addresses, CIDR ranges or host names */
  constructor(trusted: readonly string[], resolve: Resolve = resolveByDns) {
    this.#resolve = resolve;
    for (const entry of trusted) {
      const [address = "", bits] = entry.split("/");
      const family = isIP(address);
      if (family === 0) this.#names.push(entry);
      else if (bits === undefined) this.#ranges.addAddress(address, family === 6 ? "ipv6" : "ipv4");
      else this.#ranges.addSubnet(address, Number(bits), family === 6 ? "ipv6" : "ipv4");
    }
  }

  async of(peer: string, forwardedFor: string | undefined): Promise<string> {
    const address = plainAddress(peer);
    const last = plainAddress((forwardedFor ?? "").split(",").at(-1)?.trim() ?? "");
    if (isIP(last) === 0) return address;
    return (await this.#trusts(address)) ? last : address;
  }

  async #trusts(address: string): Promise<boolean> {
    if (isIP(address) === 0) return false;
    if (this.#ranges.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")) return true;
    if (this.#names.length === 0) return false;
    if (Date.now() - this.#resolvedAt > NAME_TTL_MS) {
      const found = await Promise.all(this.#names.map((name) => this.#resolve(name).catch(() => [])));
      // When the name service is away, the last known addresses stand.
      if (found.some((addresses) => addresses.length > 0)) this.#resolved = new Set(found.flat().map(plainAddress));
      this.#resolvedAt = Date.now();
    }
    return this.#resolved.has(address);
  }
}
