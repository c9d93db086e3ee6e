import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Attempts, attemptKinds, clientOf } from "../../services/backup/src/attempts.ts";
import { serveLimiter } from "../../services/backup/src/limiter.ts";

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
  const start = async () => {
    const server = serveLimiter(0);
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
