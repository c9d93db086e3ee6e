import { createHash } from "node:crypto";
import {
  BLOCK,
  type Content,
  type Entry,
  type EntryType,
  type FileSum,
  PART,
  PART_FLAG,
  padding,
  partName,
} from "./archive.ts";

/** Most bytes of an extended header: a longer one is no archive of ours. */
const MAX_HEAD = 1024 * 1024;
const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  [PART_FLAG]: "file",
  "2": "link",
  "5": "directory",
};

/** Bytes by their number. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = Buffer.alloc(0);

  constructor(source: Content) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next bytes, no more than `most`. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) throw new Error("the archive ends too early");
      this.#rest = next.value;
    }
    const chunk = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(chunk.length);
    return chunk;
  }

  async exactly(count: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for (let left = count; left > 0; left -= chunks.at(-1)?.length ?? 0) chunks.push(await this.some(left));
    return Buffer.concat(chunks);
  }

  /** Reads the source to its end. */
  async drain(): Promise<void> {
    while ((await this.#source.next()).done !== true);
  }

  /** Ends the source: nothing more is read. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

const textAt = (block: Buffer, from: number, length: number) => {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString();
};

function numberAt(block: Buffer, from: number, length: number): number {
  // GNU's form of large numbers: base 256.
  if (((block[from] ?? 0) & 0x80) !== 0) return Number(block.readBigUInt64BE(from + length - 8));
  return Number.parseInt(textAt(block, from, length).trim() || "0", 8);
}

/** The records of an extended header. */
function records(data: Buffer): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.subarray(at, space).toString());
    if (space === -1 || !Number.isSafeInteger(length) || length <= 0) break;
    const text = data.subarray(space + 1, at + length - 1).toString();
    found.set(text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1));
    at += length;
  }
  return found;
}

type RawEntry = Entry & { readonly size: number; readonly isPart: boolean };

/** The entries as tar has them, parts not yet joined. */
async function* rawEntries(bytes: Bytes): AsyncGenerator<RawEntry> {
  let extended = new Map<string, string>();
  for (;;) {
    const block = await bytes.exactly(BLOCK);
    if (block.every((byte) => byte === 0)) return;
    const flag = block.toString("latin1", 156, 157);
    const size = Number(extended.get("size") ?? numberAt(block, 124, 12));
    if (flag === "x" || flag === "g" || flag === "L") {
      if (size > MAX_HEAD) throw new Error("the archive has a header that is too long");
      const data = await bytes.exactly(size);
      await bytes.exactly(padding(size).length);
      if (flag === "x") extended = records(data);
      if (flag === "L") extended = new Map([["path", textAt(data, 0, size)]]);
      continue;
    }
    const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? textAt(block, 345, 155) : "";
    const name = extended.get("path") ?? [prefix, textAt(block, 0, 100)].filter((part) => part !== "").join("/");
    const type = TYPES[flag];
    let left = size;
    const inside = (async function* () {
      while (left > 0) {
        const chunk = await bytes.some(left);
        left -= chunk.length;
        yield chunk;
      }
    })();
    const target = extended.get("linkpath") ?? textAt(block, 157, 100);
    extended = new Map();
    if (type !== undefined)
      yield {
        path: name.replace(/^(\.?\/)+/, "").replace(/\/$/, ""),
        type,
        mode: numberAt(block, 100, 8),
        mtime: numberAt(block, 136, 12),
        size,
        isPart: flag === PART_FLAG,
        content: inside,
        ...(type === "link" ? { target } : {}),
      };
    while (left > 0) left -= (await bytes.some(left)).length;
    await bytes.exactly(padding(size).length);
  }
}

/** The entries of an archive. @throws where it is cut short */
export async function* readArchive(source: Content): AsyncGenerator<Entry> {
  const bytes = new Bytes(source);
  const raw = rawEntries(bytes);
  try {
    let next = await raw.next();
    while (next.done !== true) {
      const { isPart, ...entry }: RawEntry = next.value;
      const [, path, part] = (isPart ? PART.exec(entry.path) : undefined) ?? [];
      if (path === undefined || part !== "000001") {
        yield entry;
        next = await raw.next();
        continue;
      }
      let count = 1;
      const isNext = () => next.done !== true && next.value.isPart && next.value.path === partName(path, count);
      const joined = (async function* () {
        for (; next.done !== true && isNext(); count++) {
          yield* next.value.content;
          next = await raw.next();
        }
      })();
      yield { ...entry, path, size: undefined, content: joined };
      for (; isNext(); count++) next = await raw.next();
    }
    // What writes it ends by itself, and tells whether all was well.
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

/** Content as it passes by, with its size and hash once it is at its end. */
export function summed(path: string, content: Content): { readonly content: Content; sum(): FileSum } {
  const hash = createHash("sha256");
  let bytes = 0;
  const passing = (async function* () {
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  })();
  return { content: passing, sum: () => ({ path, bytes, sha256: hash.digest("hex") }) };
}
