import { createClient } from "redis";
import type { Config } from "./config.ts";
import { type Log, reason } from "./log.ts";
import { retryForever, within } from "./timing.ts";

const COMMAND_LIMIT_MS = 1000;

function makeClient({ host, port, db, username, password }: Config["redis"]) {
  return createClient({
    socket: { host, port, connectTimeout: 2000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2000) },
    database: db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // A command fails at once while Redis is away, so that callers decide; it is not kept for later.
    disableOfflineQueue: true,
  });
}

export type RedisClient = ReturnType<typeof makeClient>;

/** A Redis connection that comes back for ever. */
export class RedisConnection {
  readonly #client: RedisClient;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  #lastFault = "";

  constructor(config: Config["redis"], log: Log) {
    this.#log = log;
    this.#client = makeClient(config);
    this.#client.on("error", (error) => this.#failed(error));
    this.#client.on("ready", () => {
      this.#lastFault = "";
      log.info("redis connected");
    });
  }

  /** Connects in the background. */
  start(): void {
    void retryForever(
      this.#stopped.signal,
      () => this.#client.connect(),
      (error) => this.#failed(error),
    );
  }

  /** Runs commands with a short limit. */
  run<T>(what: string, commands: (client: RedisClient) => Promise<T>): Promise<T> {
    return within(COMMAND_LIMIT_MS, `redis (${what})`, commands(this.#client));
  }

  probe(): Promise<unknown> {
    return this.#client.ping();
  }

  stop(): void {
    this.#stopped.abort();
    if (this.#client.isOpen) this.#client.destroy();
  }

  #failed(error: unknown): void {
    // The same fault comes with each attempt; once is enough.
    const fault = reason(error);
    if (fault === this.#lastFault) return;
    this.#lastFault = fault;
    this.#log.warning("redis is away; trying again", { error: fault });
  }
}
