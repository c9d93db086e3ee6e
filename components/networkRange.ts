import { isIPv4 } from "node:net";

/** The range where a stack's config names none: part of 10.0.0.0/8 (RFC 1918), away from Docker's own pools. */
export const DEFAULT_RANGE = "10.213.0.0/20";

/** The longest prefix that holds a stack's networks: 4096 addresses. */
export const RANGE_BITS = 20;

/** Private addresses (RFC 1918). */
const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

interface Block {
  /** First address, as a number. */
  readonly first: number;
  /** How many addresses. */
  readonly size: number;
}

const numberOf = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

const addressOf = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

/** An IPv4 address or network; undefined for anything else. */
function blockOf(text: string): Block | undefined {
  const [address = "", bits = "32", ...more] = text.split("/");
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 32 || more.length > 0) return undefined;
  const size = 2 ** (32 - Number(bits));
  const value = numberOf(address);
  return { first: value - (value % size), size };
}

/** Whether two IPv4 networks have an address in common; one that is no IPv4 network has none. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [blockOf(one), blockOf(other)];
  return a !== undefined && b !== undefined && a.first < b.first + b.size && b.first < a.first + a.size;
}

/** What is wrong with a range for a stack's networks; undefined if nothing is. */
export function rangeFault(text: string): string | undefined {
  const range = blockOf(text);
  const example = `such as ${DEFAULT_RANGE}`;
  if (range === undefined || !text.includes("/")) return `must be an IPv4 network, ${example}`;
  if (numberOf(text.split("/")[0] ?? "") !== range.first)
    return `must begin with the network's first address, ${addressOf(range.first)}`;
  const within = (outer: Block | undefined) =>
    outer !== undefined && outer.first <= range.first && range.first + range.size <= outer.first + outer.size;
  if (!privateRanges.some((each) => within(blockOf(each))))
    return `must be private: within ${privateRanges.join(", ")}`;
  if (range.size < 2 ** (32 - RANGE_BITS)) return `is too small: a stack's networks need a /${RANGE_BITS} or larger`;
  return undefined;
}

/** A network within a range: `offset` addresses from its start, `bits` long, its first address the gateway. */
export function subnetOf(range: string, offset: number, bits: number): { subnet: string; gateway: string } {
  const first = numberOf(range.split("/")[0] ?? "") + offset;
  return { subnet: `${addressOf(first)}/${bits}`, gateway: addressOf(first + 1) };
}

/** The first range from a place on that overlaps none of the networks in use; undefined if all do. */
export function freeRange(used: readonly string[], start: number): string | undefined {
  const size = 2 ** (32 - RANGE_BITS);
  const ten = { first: numberOf("10.0.0.0"), count: 2 ** 24 / size };
  for (let step = 0; step < ten.count; step++) {
    const range = `${addressOf(ten.first + ((start + step) % ten.count) * size)}/${RANGE_BITS}`;
    if (!used.some((each) => overlap(each, range))) return range;
  }
  return undefined;
}
