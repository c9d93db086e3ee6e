import { once } from "node:events";
import { connect } from "node:net";
import type { Content } from "./archive.ts";
import { feed, lastWords } from "./exec.ts";
import { requireSecret } from "./settings.ts";

const [HOST, PORT] = ["redis", 6379];
/** Silence after which a copy is given up; the server sends an empty line each 10 s while it makes the dump. */
const SILENCE_MS = 60_000;
/** Length of the mark after a dump whose size the server does not know beforehand. */
const MARK_BYTES = 40;

const command = (...words: readonly string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

/** Reads from a connection by lines and by bytes. */
class Answers {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async more(): Promise<Buffer> {
    const held = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (held.length > 0) return held;
    const next = await this.#chunks.next();
    if (next.done === true) throw new Error("Redis ended the connection");
    return next.value;
  }

  async line(): Promise<string> {
    let text = Buffer.alloc(0);
    for (;;) {
      text = Buffer.concat([text, await this.more()]);
      const end = text.indexOf("\n");
      if (end === -1) continue;
      this.#rest = text.subarray(end + 1);
      const line = text.subarray(0, end).toString().trimEnd();
      if (line.startsWith("-")) throw new Error(`Redis refuses the copy: ${line.slice(1)}`);
      // Empty lines are the server's sign of life.
      if (line !== "") return line;
      text = Buffer.alloc(0);
    }
  }
}

/** A dump of one moment over the network, as a replica takes it: nothing of it lies anywhere. */
export async function* redisDump(): Content & AsyncGenerator<Uint8Array> {
  const socket = connect(PORT, HOST);
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error("Redis is silent")));
  try {
    await once(socket, "connect");
    const answers = new Answers(socket);
    socket.write(command("AUTH", "backup", requireSecret("redis-backup")));
    await answers.line();
    socket.write(command("REPLCONF", "capa", "eof"));
    await answers.line();
    socket.write(command("REPLCONF", "rdb-only", "1"));
    await answers.line();
    socket.write(command("SYNC"));
    const [, mark, size] = /^\$(?:EOF:(.{40})|(\d+))$/.exec(await answers.line()) ?? [];
    if (mark === undefined && size === undefined) throw new Error("Redis sends no dump");
    if (mark === undefined) {
      for (let left = Number(size); left > 0; ) {
        const chunk = (await answers.more()).subarray(0, left);
        left -= chunk.length;
        yield chunk;
      }
      return;
    }
    // The mark may come in two pieces: as many bytes as it has are kept back.
    for (let held = Buffer.alloc(0); ; ) {
      held = Buffer.concat([held, await answers.more()]);
      const until = held.length - MARK_BYTES;
      if (until < 0) continue;
      if (until > 0) yield held.subarray(0, until);
      held = held.subarray(until);
      if (held.toString("latin1") === mark) return;
    }
  } finally {
    socket.destroy();
  }
}

/** A dump as it passes by: each key is read and its checksum verified. `keys` fails where the dump is damaged. */
export function countedKeys(content: Content): { readonly content: Content; keys(): Promise<number> } {
  const queue: { chunk: Uint8Array | undefined; done: () => void }[] = [];
  let wake = () => {};
  const checked = feed(
    "sh",
    // The program opens its input by a path: a pipe has one, and the socket that Node gives has none.
    ["-c", "cat | redis-check-rdb /dev/stdin"],
    async (stdin) => {
      for (;;) {
        const next = queue.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (next.chunk !== undefined && stdin.writable && !stdin.write(next.chunk))
          await once(stdin, "drain").catch(() => undefined);
        next.done();
        if (next.chunk === undefined) return;
      }
    },
  );
  checked.catch(() => undefined);
  const hand = (chunk: Uint8Array | undefined) =>
    new Promise<void>((done) => {
      queue.push({ chunk, done });
      wake();
    });
  const passing = (async function* () {
    try {
      for await (const chunk of content) {
        await hand(chunk);
        yield chunk;
      }
    } finally {
      await hand(undefined);
    }
  })();
  const keys = async () => {
    const ended = await checked;
    if (ended.code !== 0) throw new Error(`redis-check-rdb ended with exit code ${ended.code}: ${lastWords(ended)}`);
    const count = /(\d+) keys read/.exec(ended.stdout)?.[1];
    if (count === undefined) throw new Error("redis-check-rdb does not tell how many keys there are");
    return Number(count);
  };
  return { content: passing, keys };
}
