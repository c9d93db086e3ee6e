import { existsSync } from "node:fs";
import { connect } from "node:net";

/** How a machine answers a connection: somebody listens, it says that nobody does, or it says nothing. */
export type Answer = "open" | "refused" | "silent";

const AT_ONCE = 2000;
/** Milliseconds until a port counts as silent. */
const PATIENCE = 4000;
const PORTS = 65_535;

/** Whether this machine has IPv6. */
export const hasIPv6 = existsSync("/proc/sys/net/ipv6");

export function answerOf(host: string, port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: Answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end("silent"), PATIENCE);
    socket.on("connect", () => end("open"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code === "ECONNREFUSED" ? "refused" : "silent"));
  });
}

/** All TCP ports that are not silent. */
export async function scan(host: string): Promise<ReadonlyMap<number, Answer>> {
  const found = new Map<number, Answer>();
  let next = 1;
  const worker = async () => {
    for (let port = next++; port <= PORTS; port = next++) {
      const answer = await answerOf(host, port);
      if (answer !== "silent") found.set(port, answer);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return new Map([...found].sort(([a], [b]) => a - b));
}
