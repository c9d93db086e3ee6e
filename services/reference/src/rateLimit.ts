/** After a failure the shared limiter is left alone for this long. */
const AVOID_MS = 2000;

export interface Verdict {
  readonly allowed: boolean;
  /** Requests left in the window. */
  readonly remaining: number;
  /** Seconds until the next request is allowed; 0 when this one was. */
  readonly retryAfter: number;
}

/** Counts a client's requests of the last window. */
export type Limiter = (client: string) => Promise<Verdict>;

/**
 * A sliding window, exact at every moment: at most `limit` requests in any window's length, without the double burst at
 * the border of fixed windows. Refused requests do not count, so a client that waits is served again.
 * Redis's own clock decides, so replicas agree.
 */
export const slidingWindowScript = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local window = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - window)
local count = redis.call('ZCARD', KEYS[1])
if count < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ms, ms .. ':' .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], window)
  return {1, tonumber(ARGV[2]) - count - 1, 0}
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {0, 0, oldest[2] + window - ms}
`;

/** Reads the script's answer. */
export function verdictOf(answer: unknown): Verdict {
  if (!Array.isArray(answer) || answer.length !== 3) throw new Error("the limiter's script gave no verdict");
  const [allowed, remaining, waitMs] = answer.map(Number);
  return { allowed: allowed === 1, remaining: remaining ?? 0, retryAfter: Math.ceil((waitMs ?? 0) / 1000) };
}

/** The same window in this process alone. Clients that made no request for a window are forgotten. */
export function localLimiter(limit: number, windowMs: number, now: () => number = Date.now): Limiter {
  const clients = new Map<string, number[]>();
  let swept = now();
  return async (client) => {
    const time = now();
    if (time - swept > windowMs) {
      swept = time;
      for (const [name, times] of clients) if ((times.at(-1) ?? 0) <= time - windowMs) clients.delete(name);
    }
    const recent = (clients.get(client) ?? []).filter((at) => at > time - windowMs);
    clients.set(client, recent);
    const oldest = recent[0];
    if (recent.length >= limit && oldest !== undefined) {
      return { allowed: false, remaining: 0, retryAfter: Math.ceil((oldest + windowMs - time) / 1000) };
    }
    recent.push(time);
    return { allowed: true, remaining: limit - recent.length, retryAfter: 0 };
  };
}

/**
 * The shared limiter, and while it is away the local one. Failing closed would turn an outage of Redis into one of the whole
 * API, the kill switch included; failing open would leave it without any limit. This way a client gets at most the limit
 * times the number of replicas.
 */
export function withFallback(
  shared: Limiter,
  local: Limiter,
  onFallback: (active: boolean, error?: unknown) => void,
  now: () => number = Date.now,
): Limiter {
  let avoidUntil = 0;
  return async (client) => {
    // A Redis that hangs must not hold up every request for its time limit.
    if (now() < avoidUntil) return await local(client);
    try {
      const verdict = await shared(client);
      onFallback(false);
      return verdict;
    } catch (error) {
      avoidUntil = now() + AVOID_MS;
      onFallback(true, error);
      return await local(client);
    }
  };
}
