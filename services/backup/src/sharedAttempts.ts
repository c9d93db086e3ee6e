import { createHash } from "node:crypto";
import { createClient } from "redis";
import { type AttemptKind, Attempts, type Window } from "./attempts.ts";
import { secret } from "./settings.ts";
import { within } from "./within.ts";

/** What counts attempts in Redis: answers the milliseconds to wait, 0 when the attempt was taken. */
export type CountAttempt = (key: string, window: Window) => Promise<number>;

/** The keys that the limiter's Redis user may touch begin with it; components/data/redisAcl.ts says the same. */
const PREFIX = "edge:attempts:";
/** Longest wait for Redis: what it costs a request at most that Redis hangs. */
const PATIENCE_MS = 250;
/** After a failure Redis is left alone for this long. */
const AVOID_MS = 2000;
/** Clients that get a key in Redis within a minute. Past that, others are counted here alone: Redis has other users, and no room to give. */
const MOST_KEYS = 20_000;
const MINUTE_MS = 60_000;

/**
 * A sliding window, exact at every moment: the times of a client's attempts, as 8 bytes each, in one value. What was refused is
 * not added, so a client that waits is served again. Redis's own clock decides, so two limiters agree.
 */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local times = redis.call('GET', KEYS[1]) or ''
local first = 1
while first <= #times and struct.unpack('>d', times, first) <= now - window do first = first + 8 end
times = string.sub(times, first)
if #times >= most * 8 then return math.ceil(struct.unpack('>d', times, #times - most * 8 + 1) + window - now) end
redis.call('SET', KEYS[1], times .. struct.pack('>d', now), 'PX', window)
return 0
`;
const SCRIPT_HASH = createHash("sha1").update(SCRIPT).digest("hex");

export interface RedisLogin {
  readonly host?: string;
  readonly port?: number;
  readonly username: string;
  readonly password: string;
}

/** The login that the container was given; undefined where there is none. */
export function redisLogin(): RedisLogin | undefined {
  const [username, password] = [process.env.REDIS_USERNAME, secret("redis-edge-limiter")];
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** A connection to Redis that comes back for ever, and fails a command at once while it is away. */
export function redisCounter({ host = "redis", port = 6379, username, password }: RedisLogin): {
  readonly count: CountAttempt;
  close(): void;
} {
  const client = createClient({
    socket: { host, port, connectTimeout: 2000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2000) },
    username,
    password,
    disableOfflineQueue: true,
  });
  // Each failed command says so to its caller.
  client.on("error", () => undefined);
  let closed = false;
  const open = async () => {
    while (!closed)
      try {
        return void (await client.connect());
      } catch {
        await new Promise((done) => setTimeout(done, AVOID_MS));
      }
  };
  void open();
  const evaluate = async (key: string, { most, seconds }: Window) => {
    const rest = ["1", key, String(seconds * 1000), String(most)];
    try {
      return await client.sendCommand(["EVALSHA", SCRIPT_HASH, ...rest]);
    } catch (error) {
      // Redis forgets scripts when it starts.
      if (error instanceof Error && error.message.startsWith("NOSCRIPT"))
        return await client.sendCommand(["EVAL", SCRIPT, ...rest]);
      throw error;
    }
  };
  return {
    async count(key, window) {
      const answer = await within(PATIENCE_MS, "Redis", evaluate(PREFIX + key, window));
      if (typeof answer !== "number") throw new Error("Redis gave no number");
      return answer;
    },
    close() {
      closed = true;
      if (client.isOpen) client.destroy();
    },
  };
}

/**
 * Counts attempts in Redis, for all limiters together, and by itself while Redis is away: failing closed would turn an outage of
 * Redis into one of the API, the kill switch included, and failing open would leave it without any limit.
 */
export class SharedAttempts {
  readonly #local: Attempts;
  readonly #window: Window;
  readonly #name: string;
  readonly #count: CountAttempt;
  readonly #now: () => number;
  /** Until when a client that Redis refused has to wait: while it does, nobody is asked. */
  readonly #refused = new Map<string, number>();
  #keys = new Set<string>();
  #keysSince: number;
  #avoidUntil = 0;
  #alone = false;

  /** @throws for a kind that is given back or has several windows: those are counted in memory */
  constructor(name: string, kind: AttemptKind, count: CountAttempt, now: () => number = Date.now) {
    const [window, ...more] = kind.windows;
    if (window === undefined || more.length > 0 || kind.givenBack) throw new Error(`${name}: has no single window`);
    this.#window = window;
    this.#local = new Attempts(kind, now);
    this.#name = name;
    this.#count = count;
    this.#now = now;
    this.#keysSince = now();
  }

  /** Whether it counts by itself, since Redis is away. */
  get alone(): boolean {
    return this.#alone;
  }

  get clients(): number {
    return this.#keys.size;
  }

  /** Takes an attempt, or answers the seconds after which one may be made; 0 when it was taken. */
  async take(client: string): Promise<number> {
    const now = this.#now();
    const until = this.#refused.get(client) ?? 0;
    if (until > now) return Math.ceil((until - now) / 1000);
    this.#refused.delete(client);
    if (now < this.#avoidUntil || !this.#mayHaveKey(client, now)) return await this.#local.take(client);
    try {
      const wait = await this.#count(`${this.#name}:${client}`, this.#window);
      this.#alone = false;
      if (wait > 0) this.#refused.set(client, now + wait);
      return Math.ceil(wait / 1000);
    } catch {
      this.#avoidUntil = this.#now() + AVOID_MS;
      this.#alone = true;
      return await this.#local.take(client);
    }
  }

  #mayHaveKey(client: string, now: number): boolean {
    if (now - this.#keysSince >= MINUTE_MS) {
      this.#keys = new Set();
      this.#keysSince = now;
      for (const [refused, until] of this.#refused) if (until <= now) this.#refused.delete(refused);
    }
    if (this.#keys.has(client)) return true;
    if (this.#keys.size >= MOST_KEYS) return false;
    this.#keys.add(client);
    return true;
  }
}
