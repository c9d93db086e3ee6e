import { describe, expect, it } from "vitest";
import { DEFAULT_RANGE, freeRange, overlap, rangeFault, subnetOf } from "../../components/networkRange.ts";

describe("a stack's range of addresses", () => {
  it.each([DEFAULT_RANGE, "10.0.0.0/8", "172.16.0.0/12", "192.168.16.0/20", "172.31.240.0/20"])("may be %s", (range) =>
    expect(rangeFault(range)).toBeUndefined(),
  );

  it.each([
    ["10.213.0.0", /must be an IPv4 network/],
    ["fd00::/64", /must be an IPv4 network/],
    ["10.213.0.0/33", /must be an IPv4 network/],
    ["10.213.0.0/20/1", /must be an IPv4 network/],
    ["somewhere", /must be an IPv4 network/],
    ["10.213.1.0/20", /must begin with the network's first address, 10\.213\.0\.0/],
    ["203.0.112.0/20", /must be private/],
    ["172.0.0.0/8", /must be private/],
    ["172.32.0.0/20", /must be private/],
    ["10.213.0.0/21", /is too small: .* a \/20 or larger/],
  ])("may not be %s", (range, fault) => expect(rangeFault(range)).toMatch(fault));

  it.each([
    ["10.0.0.0/20", "10.0.15.255/32", true],
    ["10.0.0.0/20", "10.0.16.0", false],
    ["10.0.0.0/8", "10.213.0.0/20", true],
    ["10.213.0.7/20", "10.213.8.0/24", true],
    ["10.0.0.0/20", "2001:db8::/32", false],
    ["10.0.0.0/20", "host.example", false],
  ])("%s and %s have an address in common: %s", (one, other, common) => {
    expect(overlap(one, other)).toBe(common);
    expect(overlap(other, one)).toBe(common);
  });

  it("is cut into networks whose first address is the gateway's", () => {
    expect(subnetOf("10.213.0.0/20", 0, 27)).toEqual({ subnet: "10.213.0.0/27", gateway: "10.213.0.1" });
    expect(subnetOf("10.213.0.0/20", 1168, 28)).toEqual({ subnet: "10.213.4.144/28", gateway: "10.213.4.145" });
  });

  it("is the first free one from a place on, over the end if need be, and none where all are in use", () => {
    expect(freeRange([], 0)).toBe("10.0.0.0/20");
    expect(freeRange(["10.0.16.0/24", "10.0.32.1/32"], 1)).toBe("10.0.48.0/20");
    expect(freeRange(["10.255.240.0/24"], 4095)).toBe("10.0.0.0/20");
    expect(freeRange([], 4096 + 2)).toBe("10.0.32.0/20");
    expect(freeRange(["10.0.0.0/8"], 7)).toBeUndefined();
  });
});
