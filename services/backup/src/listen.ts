import type { Server } from "node:http";
import { createServer } from "node:net";

/** Lets a server listen on each address that HTTP_LISTEN names, separated by commas; without it, on all. */
export function listenAt(server: Server, port: number): Server {
  const [first, ...more] = (process.env.HTTP_LISTEN ?? "").split(",").filter((host) => host !== "");
  server.listen(port, first);
  for (const host of more) {
    const other = createServer((socket) => void server.emit("connection", socket)).listen(port, host);
    server.once("close", () => other.close());
  }
  return server;
}
