import { connect } from "node:net";

// The greeting of Interactive Brokers' TWS API: "API\0", then a frame with the range of versions; the answer is a frame
// with the server's version and its time. A frame is a 4-byte length and that many bytes.

const PREFIX = Buffer.from("API\0");
const LENGTH_BYTES = 4;
const VERSIONS = "v100..176";

export function frame(text: string): Buffer {
  const body = Buffer.from(text);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** The text of the first whole frame; undefined while bytes are missing. */
export function readFrame(bytes: Buffer): string | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + bytes.readUInt32BE(0);
  return bytes.length < end ? undefined : bytes.subarray(LENGTH_BYTES, end).toString();
}

/** Whether a client's greeting has arrived whole. */
export function handshakeComplete(bytes: Buffer): boolean {
  if (!bytes.subarray(0, PREFIX.length).equals(PREFIX)) return false;
  return readFrame(bytes.subarray(PREFIX.length))?.startsWith("v") ?? false;
}

/** Greets a broker and returns its version. */
export function twsVersion(host: string, port: number, limitMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: limitMs });
    let received = Buffer.alloc(0);
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.on("connect", () => socket.write(Buffer.concat([PREFIX, frame(VERSIONS)])));
    socket.on("timeout", () => fail(new Error(`ib-gateway gave no answer within ${limitMs} ms`)));
    socket.on("error", fail);
    socket.on("close", () => reject(new Error("ib-gateway closed the connection")));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const answer = readFrame(received);
      if (answer === undefined) return;
      const version = Number(answer.split("\0")[0]);
      resolve(version);
      socket.destroy();
    });
  });
}
