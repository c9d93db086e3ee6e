import { logger, reason } from "./log.ts";

export const log = logger("wal-archive");

/** After a failure the same is not tried at once. */
const RETRY_MS = 30_000;

/** One thing that is done beside others: at most once at a time, and not at once after a failure. */
export class Errand {
  readonly #what: string;
  readonly #retryMs: number;
  #busy = false;
  #notBefore = 0;
  /** How often it failed. */
  failures = 0;
  /** Whether it failed when it was last done. */
  failing = false;

  /** @param retryMs how long it rests after a failure */
  constructor(what: string, retryMs = RETRY_MS) {
    this.#what = what;
    this.#retryMs = retryMs;
  }

  /** Does it, unless it is being done, or has just failed. */
  begin(work: () => Promise<void>): void {
    if (this.#busy || Date.now() < this.#notBefore) return;
    this.#busy = true;
    void work()
      .then(
        () => {
          if (this.failing) log("info", `${this.#what} works again`);
          this.failing = false;
        },
        (error: unknown) => {
          this.#notBefore = Date.now() + this.#retryMs;
          this.failures++;
          if (!this.failing) log("error", `${this.#what} fails`, { reason: reason(error) });
          this.failing = true;
        },
      )
      .finally(() => {
        this.#busy = false;
      });
  }
}
