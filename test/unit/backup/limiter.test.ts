import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Attempts, attemptKinds, clientOf } from "../../../services/backup/src/attempts.ts";
import { serveLimiter } from "../../../services/backup/src/limiter.ts";
import { type CountAttempt, SharedAttempts } from "../../../services/backup/src/sharedAttempts.ts";

const guesses = { windows: [{ most: 3, seconds: 60 }], givenBack: true };
const counted = { windows: [{ most: 3, seconds: 60 }], givenBack: false };

describe("attempts", () => {
  it("are refused over the limit, and taken again when the oldest has left the window", async () => {
    let now = 1_000_000;
    const attempts = new Attempts(counted, () => now);
    for (let index = 0; index < 3; index++) {
      expect(await attempts.take("a")).toBe(0);
      now += 1000;
    }
    expect(await attempts.take("a")).toBe(57);
    expect(await attempts.take("b")).toBe(0);
    now += 57_000;
    expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBe(1);
  });

  it("that were refused do not count, so that a client which waits is served", async () => {
    let now = 1_000_000;
    const attempts = new Attempts(counted, () => now);
    for (let index = 0; index < 50; index++) await attempts.take("a");
    now += 60_000;
    expect(await attempts.take("a")).toBe(0);
  });

  it("hold within each of the windows", async () => {
    let now = 1_000_000;
    const both = { windows: [...counted.windows, { most: 4, seconds: 3600 }], givenBack: false };
    const attempts = new Attempts(both, () => now);
    for (let index = 0; index < 4; index++) {
      expect(await attempts.take("a")).toBe(0);
      now += 61_000;
    }
    expect(await attempts.take("a")).toBe(3600 - 4 * 61);
  });

  it("that were right do not count, however many there are", async () => {
    const attempts = new Attempts(guesses);
    for (let index = 0; index < 100; index++) {
      expect(await attempts.take("a")).toBe(0);
      attempts.giveBack("a");
    }
    expect(attempts.clients).toBe(0);
  });

  it("made at once by a page with the right login all go on, each when another was found right", async () => {
    const attempts = new Attempts(guesses);
    const ask = async () => {
      const answer = await attempts.take("a");
      await new Promise((done) => setTimeout(done, 5));
      attempts.giveBack("a");
      return answer;
    };
    expect(new Set(await Promise.all(Array.from({ length: 30 }, ask)))).toEqual(new Set([0]));
    expect(attempts.clients).toBe(0);
  });

  it("wait for nothing once those under way have turned out wrong", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const attempts = new Attempts(guesses);
    for (let index = 0; index < 3; index++) await attempts.take("a");
    let answer: number | undefined;
    void attempts.take("a").then((seconds) => {
      answer = seconds;
    });
    await vi.advanceTimersByTimeAsync(1500);
    expect(answer).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1000);
    expect(answer).toBe(58);
    await expect(attempts.take("a")).resolves.toBe(58);
  });

  it("of a flood of clients are not remembered without end", async () => {
    const attempts = new Attempts(counted);
    for (let index = 0; index < 25_000; index++) await attempts.take(String(index));
    expect(attempts.clients).toBeLessThanOrEqual(20_000);
  });
});

describe("requests that are counted in Redis", () => {
  const start = (count: CountAttempt) => {
    const clock = { now: 1_000_000 };
    return { clock, attempts: new SharedAttempts("request", counted, count, () => clock.now) };
  };

  it("are refused as long as Redis said, without asking it again", async () => {
    const count = vi.fn<CountAttempt>(async () => 1500);
    const { clock, attempts } = start(count);
    for (let index = 0; index < 100; index++) expect(await attempts.take("a")).toBe(2);
    expect(count).toHaveBeenCalledTimes(1);
    expect(count).toHaveBeenCalledWith("request:a", counted.windows[0]);
    clock.now += 1500;
    await attempts.take("a");
    expect(count).toHaveBeenCalledTimes(2);
  });

  it("are limited here while Redis is away, which is asked again after two seconds", async () => {
    const count = vi.fn<CountAttempt>(async () => {
      throw new Error("away");
    });
    const { clock, attempts } = start(count);
    for (let index = 0; index < 3; index++) expect(await attempts.take("a")).toBe(0);
    expect(await attempts.take("a")).toBe(60);
    expect(count).toHaveBeenCalledTimes(1);
    expect(attempts.alone).toBe(true);
    count.mockResolvedValue(0);
    clock.now += 2001;
    expect(await attempts.take("a")).toBe(0);
    expect(attempts.alone).toBe(false);
  });

  it("of a flood of clients fill Redis no further than 20,000 keys a minute, and are limited here past that", async () => {
    const seen = new Set<string>();
    const { attempts } = start(async (key) => {
      seen.add(key);
      return 0;
    });
    for (let index = 0; index < 25_000; index++) await attempts.take(String(index));
    expect(seen.size).toBe(20_000);
    for (let index = 0; index < 2; index++) expect(await attempts.take("24999")).toBe(0);
    expect(await attempts.take("24999")).toBe(60);
  });

  it("have one window and are never given back", () => {
    expect(() => start(async () => 0)).not.toThrow();
    expect(() => new SharedAttempts("guess", guesses, async () => 0)).toThrow("guess: has no single window");
  });
});

describe("a client", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("%s is %s: of IPv6 a customer's share", (address, client) => expect(clientOf(address)).toBe(client));

  it.each(["", "unknown", "192.0.2.1, 192.0.2.2", "::ffff:999.0.2.1"])("is not told by %j", (address) =>
    expect(clientOf(address)).toBeUndefined(),
  );
});

describe("the limiter", () => {
  const start = async (count?: CountAttempt) => {
    const server = serveLimiter(0, count);
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, "listening");
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return (path: string, client?: string) =>
      fetch(base + path, client === undefined ? {} : { headers: { "x-client-address": client } });
  };

  it("answers 429 with Retry-After to one client, and goes on for another", async () => {
    const ask = await start();
    const most = attemptKinds["grafana-login"]?.windows[0]?.most ?? 0;
    for (let index = 0; index < most; index++) expect((await ask("/take/grafana-login", "192.0.2.1")).status).toBe(200);
    const refused = await ask("/take/grafana-login", "192.0.2.1");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
    expect((await ask("/take/grafana-login", "192.0.2.2")).status).toBe(200);
    expect((await ask("/take/grafana-token", "192.0.2.1")).status).toBe(200);
    const page = await (await ask("/metrics")).text();
    expect(page).toContain('edge_attempts_refused_total{kind="grafana-login"} 1\n');
    expect(page).toContain(`edge_attempts_taken_total{kind="grafana-login"} ${most + 1}\n`);
  });

  it("counts requests in Redis, logins in its memory, and tells when Redis is away", async () => {
    let answers: () => number = () => 0;
    const ask = await start(async () => answers());
    for (let index = 0; index < 150; index++) expect((await ask("/take/request", "192.0.2.1")).status).toBe(200);
    answers = () => 30_001;
    const refused = await ask("/take/request", "192.0.2.1");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "31"]);
    expect((await ask("/take/admin-login", "192.0.2.1")).status).toBe(200);
    expect(await (await ask("/metrics")).text()).toContain("rate_limiter_local 0\n");
    answers = () => {
      throw new Error("away");
    };
    const most = attemptKinds.request?.windows[0]?.most ?? 0;
    for (let index = 0; index < most; index++) expect((await ask("/take/request", "192.0.2.2")).status).toBe(200);
    expect((await ask("/take/request", "192.0.2.2")).status).toBe(429);
    expect(await (await ask("/metrics")).text()).toContain("rate_limiter_local 1\n");
  });

  it("gives right ones back", async () => {
    const ask = await start();
    for (let index = 0; index < 50; index++) {
      expect((await ask("/take/admin-login", "192.0.2.1")).status).toBe(200);
      expect((await ask("/return/admin-login", "192.0.2.1")).status).toBe(200);
    }
  });

  it("takes no notice of a query", async () => {
    const ask = await start();
    expect((await ask("/take/admin-login?query=up", "192.0.2.1")).status).toBe(200);
  });

  it("refuses what it does not know, rather than letting it pass", async () => {
    const ask = await start();
    expect((await ask("/take/nothing", "192.0.2.1")).status).toBe(404);
    expect((await ask("/take/admin-login", "nobody")).status).toBe(400);
    expect((await ask("/take/admin-login")).status).toBe(400);
    expect((await ask("/health")).status).toBe(200);
  });
});
