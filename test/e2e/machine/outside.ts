import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { WAN } from "./image.ts";

/** How a machine answers a connection: somebody listens, it says that nobody does, or it says nothing. */
export type Answer = "open" | "refused" | "silent";

/** Fewer than a process may have files open. */
const AT_ONCE = 800;
/** Milliseconds until a port counts as silent. */
const PATIENCE = 3000;
const PORTS = 65_535;
/** What a connection meets that nobody answers. */
const SILENCE = ["ETIMEDOUT", "EHOSTUNREACH"];

/** Whether this machine has an IPv6 address beside the virtual one's. */
export function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === WAN.neighbour6));
}

export function answerOf(host: string, port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (answer: Answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end("silent"), PATIENCE);
    socket.on("connect", () => end("open"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") return end("refused");
      if (SILENCE.includes(error.code ?? "")) return end("silent");
      clearTimeout(timer);
      reject(error);
    });
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
