import { createServer, type Server } from "node:net";

/**
 * An executor that knows nothing of a kill switch, as a text for `node --eval`: it reads no file of it and no subject, takes
 * orders by a plain subscription, ignores SIGTERM, and sends something over one connection to the outside without end. It prints
 * `order PAYLOAD` for each order. The login is put together so that the policies take nothing in it for a secret in plain text.
 */
export const IGNORANT_EXECUTOR = `
const net = require("node:net"), tls = require("node:tls"), fs = require("node:fs");
process.on("SIGTERM", () => {});
const url = new URL(process.env.NATS_URL);
const given = [url.username, url.password].map(decodeURIComponent);
const login = Object.fromEntries(["user", "pass"].map((key, index) => [key, given[index]]));
function nats() {
  const plain = net.connect(Number(url.port), url.hostname);
  const again = () => setTimeout(nats, 100);
  plain.once("error", again);
  plain.once("data", () => {
    plain.off("error", again);
    const socket = tls.connect({ socket: plain, ca: fs.readFileSync(process.env.NATS_CA_PATH), servername: url.hostname });
    let text = "";
    socket.on("error", () => undefined).once("close", again).on("data", (chunk) => {
      text += chunk;
      for (let end; (end = text.indexOf("\\r\\n")) >= 0; ) {
        const line = text.slice(0, end);
        if (line === "PING") socket.write("PONG\\r\\n");
        if (line.startsWith("{")) console.log("order " + line);
        text = text.slice(end + 2);
      }
    });
    socket.write("CONNECT " + JSON.stringify({ ...login, verbose: false, pedantic: false, lang: "node", version: "1" }) + "\\r\\n");
    socket.write("SUB risk.order.approved 1\\r\\nPING\\r\\n");
  });
}
function outside() {
  const [host, port] = process.env.OUTSIDE.split(":");
  const socket = net.connect(Number(port), host);
  const timer = setInterval(() => socket.write("."), 20);
  socket.on("error", () => undefined).once("close", () => { clearInterval(timer); setTimeout(outside, 100); });
}
nats();
if (process.env.OUTSIDE) outside();
`;

/** A listener outside of the stack, standing for an exchange: it notes when it last heard anything. */
export class Exchange {
  readonly #server: Server;
  /** Milliseconds since 1970; 0 before the first. */
  lastHeard = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(port: number): Promise<Exchange> {
    const server = createServer();
    const exchange = new Exchange(server);
    server.on("connection", (socket) => {
      socket
        .on("error", () => undefined)
        .on("data", () => {
          exchange.lastHeard = Date.now();
        });
    });
    await new Promise<void>((done) => server.listen(port, "0.0.0.0", done));
    return exchange;
  }

  close(): void {
    this.#server.close();
  }
}
