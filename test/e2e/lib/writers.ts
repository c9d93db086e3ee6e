import { setTimeout as pause } from "node:timers/promises";

export interface WriterResult {
  /** Writes that were acknowledged, numbered from 1. */
  readonly acknowledged: number;
  /** Attempts that failed and were tried again, by what they said. */
  readonly failed: Readonly<Record<string, number>>;
  /** The longest time in which nothing was acknowledged, in ms. */
  readonly longestGap: number;
}

/**
 * Writes one number after the other at a steady rate, each until it is acknowledged: what a client does that must lose nothing.
 * @param rate writes a second
 * @param write writes one number; a throw means that it may not have been written
 */
export function startWriter(rate: number, write: (n: number) => Promise<void>): { stop(): Promise<WriterResult> } {
  const failed: Record<string, number> = {};
  const stopped = new AbortController();
  let acknowledged = 0;
  let longestGap = 0;
  const loop = (async () => {
    let last = Date.now();
    while (!stopped.signal.aborted) {
      try {
        await write(acknowledged + 1);
        acknowledged += 1;
        longestGap = Math.max(longestGap, Date.now() - last);
        last = Date.now();
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        failed[words] = (failed[words] ?? 0) + 1;
      }
      await pause(1000 / rate);
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await loop;
      return { acknowledged, failed, longestGap };
    },
  };
}

/**
 * One connection that is made again after each failure, with the password of that moment: what a service does that is replaced.
 * @param open connects
 */
export function reconnecting<C>(open: () => Promise<C>, close: (client: C) => Promise<unknown>) {
  let client: C | undefined;
  const drop = async () => {
    const old = client;
    client = undefined;
    if (old !== undefined) await close(old).catch(() => undefined);
  };
  return {
    async use(work: (client: C) => Promise<unknown>): Promise<void> {
      try {
        client ??= await open();
        await work(client);
      } catch (error) {
        await drop();
        throw error;
      }
    },
    drop,
  };
}
