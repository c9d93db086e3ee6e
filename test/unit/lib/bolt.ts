import { fnv64 } from "../../../services/backup/src/boltFile.ts";

const PAGE = 4096;
const NO_FREELIST = 0xffffffffffffffffn;

function page(number: number, flags: number, count: number): Buffer {
  const bytes = Buffer.alloc(PAGE);
  bytes.writeBigUInt64LE(BigInt(number), 0);
  bytes.writeUInt16LE(flags, 8);
  bytes.writeUInt16LE(count, 10);
  return bytes;
}

function meta(number: number, transaction: bigint): Buffer {
  const bytes = page(number, 0x04, 0);
  const content = bytes.subarray(16, 80);
  content.writeUInt32LE(0xed0cdaed, 0);
  content.writeUInt32LE(2, 4);
  content.writeUInt32LE(PAGE, 8);
  content.writeBigUInt64LE(2n, 16);
  content.writeBigUInt64LE(NO_FREELIST, 32);
  content.writeBigUInt64LE(4n, 40);
  content.writeBigUInt64LE(transaction, 48);
  content.writeBigUInt64LE(fnv64(content.subarray(0, 56)), 56);
  return bytes;
}

/** A leaf whose keys and values stand at its end. */
function leaf(number: number, flags: number, entries: readonly (readonly [key: string, value: Buffer])[]): Buffer {
  const bytes = page(number, 0x02, entries.length);
  let end = PAGE;
  for (const [index, [key, value]] of [...entries.entries()].reverse()) {
    end -= key.length + value.length;
    const at = 16 + index * 16;
    bytes.writeUInt32LE(flags, at);
    bytes.writeUInt32LE(end - at, at + 4);
    bytes.writeUInt32LE(key.length, at + 8);
    bytes.writeUInt32LE(value.length, at + 12);
    bytes.write(key, end);
    value.copy(bytes, end + key.length);
  }
  return bytes;
}

/** A whole file as bbolt writes it: one bucket `default`, in page 3, with three entries of three letters each. */
export function boltFile(): Buffer {
  const bucket = Buffer.alloc(16);
  bucket.writeBigUInt64LE(3n, 0);
  const value = Buffer.from("value");
  const entries = ["aaa", "bbb", "ccc"].map((key) => [key, value] as const);
  return Buffer.concat([meta(0, 5n), meta(1, 6n), leaf(2, 1, [["default", bucket]]), leaf(3, 0, entries)]);
}
