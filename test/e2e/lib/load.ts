import { Agent, request } from "node:https";

export interface LoadResult {
  /** Requests that were answered, by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** What went wrong with requests that got no answer, by error code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly perSecond: number;
  /** The seconds of the load in which requests were sent that got no answer, or took longer than a second: each with its slowest, in ms. */
  readonly slow: Readonly<Record<number, number>>;
}

export interface LoadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests a second, evenly spread. */
  readonly rate: number;
  /** Addresses of this machine to send from, in turn: each is a client of its own to the rate limit. */
  readonly from: readonly string[];
}

/** A machine that is overloaded answers late: that is no failure. */
const PATIENCE_S = 120;

/** Sends requests at a steady rate, whether or not earlier ones were answered, until it is stopped. */
export function startLoad({ url, headers, rate, from }: LoadOptions): { stop(): Promise<LoadResult> } {
  const statuses: Record<string, number> = {};
  const errors: Record<string, number> = {};
  const slow: Record<number, number> = {};
  const agents = from.map((localAddress) => ({ localAddress, agent: new Agent({ keepAlive: true, maxSockets: 4 }) }));
  const open = new Set<Promise<void>>();
  const start = Date.now();
  let sent = 0;

  const one = (): Promise<void> => {
    const client = agents[sent % agents.length];
    sent += 1;
    const began = Date.now();
    return new Promise((resolve) => {
      const count = (tally: Record<string, number>, key: string) => {
        tally[key] = (tally[key] ?? 0) + 1;
        const took = Date.now() - began;
        const second = Math.floor((began - start) / 1000);
        if (took > 1000) slow[second] = Math.max(slow[second] ?? 0, took);
        resolve();
      };
      const call = request(
        url,
        { ...client, headers, rejectUnauthorized: false, servername: "localhost", timeout: PATIENCE_S * 1000 },
        (response) => {
          response.resume();
          response.on("end", () => count(statuses, String(response.statusCode)));
          response.on("error", (error) => count(errors, error.message));
        },
      );
      call.on("timeout", () => call.destroy(new Error(`no answer within ${PATIENCE_S} s`)));
      call.on("error", (error: NodeJS.ErrnoException) => count(errors, error.code ?? error.message));
      call.end();
    });
  };
  const timer = setInterval(() => {
    const due = Math.floor(((Date.now() - start) / 1000) * rate);
    while (sent < due) {
      const call = one().finally(() => open.delete(call));
      open.add(call);
    }
  }, 10);
  return {
    async stop() {
      clearInterval(timer);
      const seconds = (Date.now() - start) / 1000;
      await Promise.all(open);
      for (const { agent } of agents) agent.destroy();
      return { statuses, errors, sent, perSecond: sent / seconds, slow };
    },
  };
}

/** The fastest of some rates at which this machine answers every request within a second, or the slowest of them. */
export async function carriedRate(options: Omit<LoadOptions, "rate">, rates: readonly number[]): Promise<number> {
  for (const rate of rates) {
    const load = startLoad({ ...options, rate });
    await new Promise((done) => setTimeout(done, 5000));
    const { slow, errors } = await load.stop();
    if (Object.keys(slow).length === 0 && Object.keys(errors).length === 0) return rate;
  }
  return rates.at(-1) ?? 1;
}
