import type { Payload } from "./messages.ts";
import type { Holding } from "./portfolio.ts";
import type { RedisConnection } from "./redis.ts";

export interface Decision {
  readonly subject: string;
  readonly payload: Payload;
  /** Whether NATS has stored it: a decision is told once, also when its intent comes again after days. */
  readonly told: boolean;
}

const HOLDINGS = "risk:holdings";
const DECIDED_SECONDS = 7 * 24 * 60 * 60;
const DAY_SECONDS = 2 * 24 * 60 * 60;

const decisionKey = (id: string) => `risk:decided:${id}`;

/** What the decider must remember over a restart, in Redis: holdings, decisions, the equity that the day began with. */
export class RiskStore {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async holdings(): Promise<ReadonlyMap<string, Holding>> {
    const saved = await this.#redis.run("holdings", (redis) => redis.hGetAll(HOLDINGS));
    return new Map(Object.entries(saved).map(([symbol, text]) => [symbol, JSON.parse(text) as Holding]));
  }

  async decision(id: string): Promise<Decision | undefined> {
    const text = await this.#redis.run("decision", (redis) => redis.get(decisionKey(id)));
    return text === null ? undefined : (JSON.parse(text) as Decision);
  }

  /** Keeps a decision and the holding that it changes, both or neither. */
  async decide(
    id: string,
    decision: Decision,
    changed: readonly [string, Holding | undefined] | undefined,
  ): Promise<void> {
    await this.#redis.run("decide", (redis) => {
      const both = redis
        .multi()
        .set(decisionKey(id), JSON.stringify(decision), { expiration: { type: "EX", value: DECIDED_SECONDS } });
      if (changed?.[1] !== undefined) both.hSet(HOLDINGS, changed[0], JSON.stringify(changed[1]));
      return both.exec();
    });
  }

  /** The equity at the first look of the UTC day. */
  async dayStart(equity: number): Promise<number> {
    const key = `risk:day:${new Date().toISOString().slice(0, 10)}`;
    const saved = await this.#redis.run("day", async (redis) => {
      await redis.set(key, String(equity), { condition: "NX", expiration: { type: "EX", value: DAY_SECONDS } });
      return await redis.get(key);
    });
    return Number(saved ?? equity);
  }

  /** Notes that NATS has stored a decision. */
  async told(id: string, decision: Decision): Promise<void> {
    const text = JSON.stringify({ ...decision, told: true });
    await this.#redis.run("told", (redis) => redis.set(decisionKey(id), text, { expiration: "KEEPTTL" }));
  }
}
