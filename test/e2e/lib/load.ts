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
        { ...client, headers, rejectUnauthorized: false, servername: "localhost", timeout: 20_000 },
        (response) => {
          response.resume();
          response.on("end", () => count(statuses, String(response.statusCode)));
          response.on("error", (error) => count(errors, error.message));
        },
      );
      call.on("timeout", () => call.destroy(new Error("no answer within 20 s")));
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
