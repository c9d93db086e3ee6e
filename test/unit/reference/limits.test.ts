import { describe, expect, it, vi } from "vitest";
import { ClientAddress } from "../../../services/reference/src/clientAddress.ts";
import { type Limiter, localLimiter, verdictOf, withFallback } from "../../../services/reference/src/rateLimit.ts";

describe("the local limiter", () => {
  it("allows the limit in any window, and says when to come again", async () => {
    let now = 0;
    const limiter = localLimiter(3, 60_000, () => now);
    for (now of [0, 1000, 2000]) expect((await limiter("a")).allowed).toBe(true);
    now = 10_000;
    expect(await limiter("a")).toEqual({ allowed: false, remaining: 0, retryAfter: 50 });
    expect((await limiter("b")).allowed).toBe(true);
    now = 60_500;
    expect((await limiter("a")).allowed).toBe(true);
    expect((await limiter("a")).allowed).toBe(false);
  });

  it("does not count what it refused", async () => {
    let now = 0;
    const limiter = localLimiter(1, 1000, () => now);
    await limiter("a");
    for (let step = 1; step < 10; step++) {
      now = step * 100;
      expect((await limiter("a")).allowed).toBe(false);
    }
    now = 1001;
    expect((await limiter("a")).allowed).toBe(true);
  });
});

describe("the shared limiter's answer", () => {
  it("is read with whole seconds, rounded up", () => {
    expect(verdictOf([1, 99, 0])).toEqual({ allowed: true, remaining: 99, retryAfter: 0 });
    expect(verdictOf([0, 0, 59_001])).toEqual({ allowed: false, remaining: 0, retryAfter: 60 });
  });
  it("must have three parts", () => expect(() => verdictOf("OK")).toThrow());
});

describe("the fallback", () => {
  it("limits locally while the shared one is away, without asking it each time", async () => {
    let now = 0;
    const shared = vi.fn<Limiter>().mockRejectedValue(new Error("away"));
    const states: boolean[] = [];
    const limiter = withFallback(
      shared,
      localLimiter(2, 60_000, () => now),
      (active) => states.push(active),
      () => now,
    );
    expect((await limiter("a")).allowed).toBe(true);
    expect((await limiter("a")).allowed).toBe(true);
    expect((await limiter("a")).allowed).toBe(false);
    expect(shared).toHaveBeenCalledTimes(1);
    now = 5000;
    shared.mockResolvedValue({ allowed: true, remaining: 1, retryAfter: 0 });
    expect((await limiter("a")).allowed).toBe(true);
    expect(states).toEqual([true, false]);
  });
});

describe("the client's address", () => {
  const spoofed = "6.6.6.6, 203.0.113.7";

  it("is the socket's, whatever a stranger's header says", async () => {
    expect(await new ClientAddress([]).of("198.51.100.1", spoofed)).toBe("198.51.100.1");
    expect(await new ClientAddress(["10.0.0.0/8"]).of("198.51.100.1", spoofed)).toBe("198.51.100.1");
  });

  it("is the last entry that a trusted proxy wrote", async () => {
    expect(await new ClientAddress(["10.0.0.0/8"]).of("::ffff:10.1.2.3", spoofed)).toBe("203.0.113.7");
    expect(await new ClientAddress(["fd00::/8"]).of("fd00::1", "2001:db8::5")).toBe("2001:db8::5");
  });

  it("is the proxy's own when its header is missing or no address", async () => {
    const addresses = new ClientAddress(["10.0.0.1"]);
    for (const header of [undefined, "", "unknown", "1.2.3.4, evil"])
      expect(await addresses.of("10.0.0.1", header)).toBe("10.0.0.1");
  });

  it("follows a proxy's name, and keeps the last answer when names cannot be resolved", async () => {
    const resolve = vi.fn<(name: string) => Promise<readonly string[]>>().mockResolvedValue(["172.18.0.5"]);
    const addresses = new ClientAddress(["caddy"], resolve);
    expect(await addresses.of("172.18.0.5", spoofed)).toBe("203.0.113.7");
    expect(await addresses.of("172.18.0.9", spoofed)).toBe("172.18.0.9");
    expect(resolve).toHaveBeenCalledTimes(1);
    vi.useFakeTimers({ now: Date.now() + 10_000 });
    resolve.mockRejectedValue(new Error("no name service"));
    expect(await addresses.of("172.18.0.5", spoofed)).toBe("203.0.113.7");
    vi.useRealTimers();
  });
});
