import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";

/** Bytes as they come. */
export type Content = AsyncIterable<Uint8Array>;

export interface FileSum {
  /** Relative path. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export type EntryType = "file" | "directory" | "link";

export interface EntryHead {
  /** Relative path. */
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** What a symbolic link points to. */
  readonly target?: string;
}

export interface Entry extends EntryHead {
  /** Undefined for content that was written in parts. */
  readonly size: number | undefined;
  /** To be read before the next entry is asked for; what is left of it is then skipped. */
  readonly content: Content;
}

export const BLOCK = 512;
/** tar wants a size before the content: what comes from a program is written in parts, each held in memory. */
const PART_BYTES = 32 * 1024 * 1024;
export const PART = /^(.+)\.parts\/(\d{6})$/;
/** tar's sign of a file that is stored in one piece, which every tar takes for a file: here, of a part. */
export const PART_FLAG = "7";
export const partName = (path: string, number: number) => `${path}.parts/${String(number).padStart(6, "0")}`;
const FLAGS: Readonly<Record<EntryType, string>> = { file: "0", link: "2", directory: "5" };

const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;

function header(name: Buffer, size: number, flag: string, head: Omit<EntryHead, "path" | "type">): Buffer {
  const block = Buffer.alloc(BLOCK);
  name.copy(block, 0, 0, 100);
  block.write(octal(head.mode & 0o7777, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(Math.max(0, Math.floor(head.mtime)), 12), 136);
  block.write("        ", 148);
  block.write(flag, 156);
  Buffer.from(head.target ?? "").copy(block, 157, 0, 100);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** One record of an extended header (POSIX pax): its own length comes first. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** Bytes up to a whole block. */
export const padding = (size: number) => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);

/** An archive in tar's form, written while its content comes; it keeps size and hash of each file. */
export class ArchiveWriter {
  readonly #out: Writable;
  readonly #sums = new Map<string, FileSum>();
  readonly #given = new Set<string>();

  constructor(out: Writable) {
    this.#out = out;
  }

  /** Every file that was written whole, sorted by path. */
  get sums(): FileSum[] {
    return [...this.#sums.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Files that were begun and given up. */
  get broken(): string[] {
    return [...this.#given].filter((path) => !this.#sums.has(path)).sort();
  }

  async #write(data: Uint8Array): Promise<void> {
    if (!this.#out.writable) throw new Error("the archive's reader is gone");
    if (data.length > 0 && !this.#out.write(data)) await once(this.#out, "drain");
  }

  async #head({ path, type, ...head }: EntryHead, size: number, flag = FLAGS[type]): Promise<void> {
    const [name, target] = [Buffer.from(path), Buffer.from(head.target ?? "")];
    const long = [
      ...(name.length > 100 ? [record("path", path)] : []),
      ...(target.length > 100 ? [record("linkpath", head.target ?? "")] : []),
      ...(size >= 8 ** 11 ? [record("size", String(size))] : []),
    ];
    if (long.length > 0) {
      const records = Buffer.concat(long);
      await this.#write(header(Buffer.from("PaxHeader"), records.length, "x", { mode: 0o600, mtime: 0 }));
      await this.#write(records);
      await this.#write(padding(records.length));
    }
    await this.#write(header(name, size >= 8 ** 11 ? 0 : size, flag, head));
  }

  /** A directory or a symbolic link. */
  async add(head: EntryHead): Promise<void> {
    await this.#head(head, 0);
  }

  /** A file of a known size. Content that is shorter is filled up with zeros, and what is too much is left out. */
  async file(head: Omit<EntryHead, "type">, size: number, content: Content): Promise<void> {
    this.#given.add(head.path);
    await this.#head({ ...head, type: "file" }, size);
    const hash = createHash("sha256");
    const put = async (data: Uint8Array) => {
      hash.update(data);
      await this.#write(data);
    };
    let left = size;
    for await (const chunk of content) {
      await put(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
    for (; left > 0; left -= Math.min(left, PART_BYTES)) await put(Buffer.alloc(Math.min(left, PART_BYTES)));
    await this.#write(padding(size));
    this.#sums.set(head.path, { path: head.path, bytes: size, sha256: hash.digest("hex") });
  }

  /** A file whose size is not known before its end. Fails as its content fails; it is then broken. */
  async stream(path: string, content: Content): Promise<void> {
    this.#given.add(path);
    const hash = createHash("sha256");
    let [bytes, parts, held, size] = [0, 0, [] as Uint8Array[], 0];
    const flush = async () => {
      parts += 1;
      await this.#head({ path: partName(path, parts), type: "file", mode: 0o600, mtime: 0 }, size, PART_FLAG);
      for (const chunk of held) await this.#write(chunk);
      await this.#write(padding(size));
      [held, size] = [[], 0];
    };
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.length;
      for (let rest = chunk; rest.length > 0; ) {
        const fits = rest.subarray(0, PART_BYTES - size);
        held.push(fits);
        size += fits.length;
        rest = rest.subarray(fits.length);
        if (size === PART_BYTES) await flush();
      }
    }
    if (size > 0 || parts === 0) await flush();
    this.#sums.set(path, { path, bytes, sha256: hash.digest("hex") });
  }

  /** A small file. */
  async text(path: string, text: string): Promise<void> {
    const data = Buffer.from(text);
    await this.file({ path, mode: 0o600, mtime: 0 }, data.length, single(data));
  }

  /** Ends the archive, and what it is written to. */
  async end(): Promise<void> {
    await this.#write(Buffer.alloc(2 * BLOCK));
    await new Promise<void>((resolve) => this.#out.end(resolve));
  }
}

async function* single(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}
