import { closeSync, fstatSync, openSync, readSync } from "node:fs";

// bbolt's form of a file (go.etcd.io/bbolt, internal/common): pages of one size, each with its own number in its first bytes.
// All numbers are little-endian.
const HEADER = 16;
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_LENGTH = 64;
const CHECKSUM_AT = 56;
const ELEMENT = 16;
const BUCKET_HEADER = 16;
const BUCKET = 0x01;
const BRANCH = 0x01;
const LEAF = 0x02;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

interface Meta {
  readonly pageSize: number;
  readonly root: bigint;
  /** The number behind the last page's. */
  readonly end: bigint;
  readonly transaction: bigint;
}

/** The keys that may stand below a branch's entry: from its own key until the next one's. */
interface Range {
  readonly from?: Buffer;
  readonly until?: Buffer;
}

/** Says what is wrong, and ends the look at the file. */
class Damage extends Error {}

/** The hash of bbolt's meta pages: FNV-1a, 64 bits. */
export function fnv64(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

/** A meta page's content; undefined where it is none, or not whole. */
function readMeta(page: Buffer): Meta | undefined {
  if (page.length < HEADER + META_LENGTH) return undefined;
  const meta = page.subarray(HEADER, HEADER + META_LENGTH);
  const whole =
    meta.readUInt32LE(0) === MAGIC &&
    meta.readUInt32LE(4) === VERSION &&
    meta.readBigUInt64LE(CHECKSUM_AT) === fnv64(meta.subarray(0, CHECKSUM_AT));
  if (!whole) return undefined;
  return {
    pageSize: meta.readUInt32LE(8),
    root: meta.readBigUInt64LE(16),
    end: meta.readBigUInt64LE(40),
    transaction: meta.readBigUInt64LE(48),
  };
}

/** Follows the pages of one file. */
class BoltFile {
  readonly #read: (at: number, length: number) => Buffer;
  readonly #meta: Meta;
  readonly #seen = new Set<bigint>();

  constructor(read: (at: number, length: number) => Buffer, meta: Meta) {
    this.#read = read;
    this.#meta = meta;
  }

  check(): void {
    this.#page(this.#meta.root, {});
  }

  #page(number: bigint, range: Range): void {
    const { pageSize, end } = this.#meta;
    if (number < 2n || number >= end) throw new Damage(`page ${number} is beyond the last one`);
    const at = Number(number) * pageSize;
    const header = this.#read(at, HEADER);
    if (header.length < HEADER) throw new Damage(`the file ends before page ${number}`);
    if (header.readBigUInt64LE(0) !== number) throw new Damage(`page ${number} is another one`);
    const more = header.readUInt32LE(12);
    if (number + BigInt(more) >= end) throw new Damage(`page ${number} is longer than the file`);
    for (let each = number; each <= number + BigInt(more); each++) {
      if (this.#seen.has(each)) throw new Damage(`page ${each} is used twice`);
      this.#seen.add(each);
    }
    const page = this.#read(at, (more + 1) * pageSize);
    if (page.length < (more + 1) * pageSize) throw new Damage(`the file ends within page ${number}`);
    this.#elements(page, `page ${number}`, range);
  }

  /** What a page, or a small bucket's inline one, holds. */
  #elements(page: Buffer, name: string, { from, until }: Range): void {
    const flags = page.readUInt16LE(8);
    const count = page.readUInt16LE(10);
    if (flags !== BRANCH && flags !== LEAF) throw new Damage(`${name} is neither a branch nor a leaf`);
    if (HEADER + count * ELEMENT > page.length) throw new Damage(`${name} has too many entries`);
    const entries = Array.from({ length: count }, (_, index) => {
      const at = HEADER + index * ELEMENT;
      const first = at + page.readUInt32LE(flags === LEAF ? at + 4 : at);
      const keyEnd = first + page.readUInt32LE(flags === LEAF ? at + 8 : at + 4);
      const valueEnd = flags === LEAF ? keyEnd + page.readUInt32LE(at + 12) : keyEnd;
      if (valueEnd > page.length) throw new Damage(`${name} has an entry beyond its end`);
      return { at, key: page.subarray(first, keyEnd), value: page.subarray(keyEnd, valueEnd) };
    });
    for (const [index, { at, key, value }] of entries.entries()) {
      const next = entries[index + 1]?.key ?? until;
      const ordered = next === undefined || Buffer.compare(key, next) < 0;
      if (!ordered || (index === 0 && from !== undefined && Buffer.compare(from, key) > 0))
        throw new Damage(`${name} has entries out of order`);
      if (flags === BRANCH)
        this.#page(page.readBigUInt64LE(at + 8), { from: key, ...(next === undefined ? {} : { until: next }) });
      else if (page.readUInt32LE(at) === BUCKET) this.#bucket(value, name);
      else if (page.readUInt32LE(at) !== 0) throw new Damage(`${name} has an entry of an unknown kind`);
    }
  }

  #bucket(value: Buffer, name: string): void {
    if (value.length < BUCKET_HEADER) throw new Damage(`${name} has a bucket that is cut short`);
    const root = value.readBigUInt64LE(0);
    if (root !== 0n) this.#page(root, {});
    else if (value.length < BUCKET_HEADER + HEADER) throw new Damage(`${name} has an inline bucket that is cut short`);
    else this.#elements(value.subarray(BUCKET_HEADER), `a bucket of ${name}`, {});
  }
}

/**
 * What is wrong with a file of bbolt's, in a few words; undefined for a whole one and for an empty one, which bbolt begins again.
 * The values in it are not looked at: bbolt hands them out as they are. Nobody may write to it meanwhile.
 * @throws where the file cannot be read
 */
export function boltFault(path: string): string | undefined {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (size === 0) return undefined;
    const read = (at: number, length: number): Buffer => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, at));
    };
    // The second one's place follows from the pages' size, which the first one may not tell any more.
    const metas = [0, ...[10, 11, 12, 13, 14, 15, 16].map((power) => 2 ** power)].flatMap((at) => {
      const meta = readMeta(read(at, HEADER + META_LENGTH));
      return meta === undefined || (at !== 0 && meta.pageSize !== at) ? [] : [meta];
    });
    const [newest] = metas.sort((a, b) => (a.transaction > b.transaction ? -1 : 1));
    if (newest === undefined) return "it has no whole first page";
    new BoltFile(read, newest).check();
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  } finally {
    closeSync(file);
  }
}
