import { lookup } from "node:dns/promises";
import type { Server } from "node:http";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

/** Of the addresses that a name has, the one of this container: during a rolling deploy two containers have the name. */
async function ownAddress(host: string): Promise<string> {
  const own = new Set(Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []));
  const known = await lookup(host, { all: true });
  return known.find(({ address }) => own.has(address))?.address ?? host;
}

/** Lets a server listen on each address that HTTP_LISTEN names, separated by commas; without it, on all. */
export async function listenAt(server: Server, port: number): Promise<void> {
  const names = (process.env.HTTP_LISTEN ?? "").split(",").filter((host) => host !== "");
  const [first, ...more] = await Promise.all(names.map(ownAddress));
  server.listen(port, first);
  for (const host of more) {
    const other = createServer((socket) => void server.emit("connection", socket)).listen(port, host);
    server.once("close", () => other.close());
  }
}
