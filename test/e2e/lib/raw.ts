import { createSocket } from "node:dgram";
import { connect as connectPlain } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

/** What a server does with bytes that no client library would send. */
export interface Reaction {
  /** All that it said, until it closed the connection or the patience ended. */
  readonly said: string;
  /** Whether it closed the connection by itself. */
  readonly closed: boolean;
}

export interface Sending {
  readonly port: number;
  /** The bytes, in pieces that are sent one after another with a pause between them, until the server has had enough. */
  readonly pieces: Iterable<string>;
  /** Milliseconds between two pieces. Default 0. */
  readonly pause?: number;
  /** Seconds after which an open connection is left. Default 20. */
  readonly patience?: number;
}

function open(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: "127.0.0.1",
        port,
        servername: "localhost",
        rejectUnauthorized: false,
        ALPNProtocols: ["http/1.1"],
        ...options,
      },
      () => resolve(socket),
    );
    socket.once("error", reject);
  });
}

/** Sends bytes over TLS as they are, and tells what came of it. */
export async function sendRaw({ port, pieces, pause = 0, patience = 20 }: Sending): Promise<Reaction> {
  const socket = await open(port);
  let said = "";
  let closed = false;
  const end = new Promise<void>((done) => {
    const timer = setTimeout(done, patience * 1000);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      closed = true;
      clearTimeout(timer);
      done();
    });
  });
  socket.setEncoding("latin1").on("data", (text: string) => {
    said += text;
  });
  for (const piece of pieces) {
    if (socket.closed || socket.destroyed) break;
    socket.write(piece, "latin1");
    await new Promise((done) => setTimeout(done, pause));
  }
  await end;
  socket.destroy();
  return { said, closed };
}

/** Sends bytes without TLS, or over TLS with another name or protocol than usual, and tells what came back; empty where nothing did. */
export function sendPlain(port: number, text: string, tls?: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket =
      tls === undefined
        ? connectPlain(port, "127.0.0.1")
        : connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...tls });
    const timer = setTimeout(() => socket.destroy(), 5000);
    socket
      .setEncoding("latin1")
      .on("data", (more: string) => {
        said += more;
      })
      .on("error", () => undefined)
      .on("close", () => {
        clearTimeout(timer);
        resolve(said);
      });
    socket.write(text, "latin1");
  });
}

/** The versions of QUIC that a server offers a client whose own version it does not know (RFC 9000, 6 and 17.2.1). */
export function quicVersions(port: number, host = "127.0.0.1", seconds = 20): Promise<string[]> {
  const socket = createSocket("udp4");
  const id = Buffer.from("0123456789abcdef", "hex");
  const version = Buffer.from("1a2a3a4a", "hex");
  const packet = Buffer.concat([Buffer.from([0xc0]), version, Buffer.from([8]), id, Buffer.from([8]), id], 1200);
  return new Promise((resolve, reject) => {
    // UDP may lose a packet.
    const timer = setInterval(() => socket.send(packet, port, host), 500);
    const give = setTimeout(() => {
      clearInterval(timer);
      socket.close();
      reject(new Error("no answer over UDP"));
    }, seconds * 1000);
    socket.on("message", (answer) => {
      clearInterval(timer);
      clearTimeout(give);
      socket.close();
      const list = answer.subarray(1 + 4 + 1 + 8 + 1 + 8);
      resolve(Array.from({ length: list.length / 4 }, (_, index) => list.toString("hex", index * 4, index * 4 + 4)));
    });
    socket.send(packet, port, host);
  });
}
