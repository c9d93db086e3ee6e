import { createServer, type Socket } from "node:net";
import type { Config } from "../config.ts";
import { HttpServer } from "../http.ts";
import type { Log } from "../log.ts";
import { commonMetrics, Metrics } from "../metrics.ts";
import { frame, handshakeComplete } from "../tws.ts";

const SERVER_VERSION = 176;
const IDLE_LIMIT_MS = 60_000;
const MAX_GREETING_BYTES = 1024;

function greet(socket: Socket, log: Log, port: number): void {
  let received = Buffer.alloc(0);
  let greeted = false;
  socket.setTimeout(IDLE_LIMIT_MS, () => socket.destroy());
  // A client that hangs up is its own affair.
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    if (greeted) return;
    received = Buffer.concat([received, chunk]);
    if (received.length > MAX_GREETING_BYTES) socket.destroy();
    if (!handshakeComplete(received)) return;
    greeted = true;
    socket.write(frame(`${SERVER_VERSION}\0${new Date().toISOString()} UTC\0`));
    log.info("client connected to the stand-in, which trades nothing", { port });
  });
}

/** A broker that greets and trades nothing, in place of IB Gateway. Returns how to stop it. */
export async function startIbGateway(config: Config, log: Log): Promise<() => Promise<void>> {
  const ports = config.env.list("IB_LISTEN_PORTS");
  const sockets = new Set<Socket>();
  const servers = (ports.length === 0 ? ["4001", "4002"] : ports).map((port) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      greet(socket, log, Number(port));
    });
    server.listen(Number(port), () => log.info("listening", { port: Number(port) }));
    return server;
  });
  const metrics = new Metrics();
  const http = new HttpServer(log, commonMetrics(metrics, config.role));
  http.route("GET", "/health", async () => ({ body: "ok\n" }), false);
  if (config.port !== null) await http.listen(config.port);
  return async () => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    if (config.port !== null) await http.close();
  };
}
