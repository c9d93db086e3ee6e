import type { Content } from "./archive.ts";

/** How often the sender says that it is alive, and the silence after which it is taken for gone. */
const BEAT_MS = 5000;
const SILENCE_MS = 45_000;
const HEAD_BYTES = 4;

/**
 * Content in frames, with an empty one as a heartbeat. The daemon does not end the input of a program that it runs in a container
 * when its own client is killed: without a heartbeat that program would wait for ever, and hold its lock.
 */
export async function* framed(content: Content, every = BEAT_MS): AsyncGenerator<Uint8Array> {
  const source = content[Symbol.asyncIterator]();
  try {
    for (let next = source.next(); ; ) {
      let timer: NodeJS.Timeout | undefined;
      const beat = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, every, undefined);
      });
      const won = await Promise.race([next, beat]).finally(() => clearTimeout(timer));
      const bytes = won === undefined ? Buffer.alloc(0) : won.done === true ? undefined : won.value;
      if (bytes === undefined) return;
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32BE(bytes.length);
      yield head;
      if (bytes.length > 0) yield bytes;
      if (won !== undefined) next = source.next();
    }
  } finally {
    await source.return?.();
  }
}

/** What was framed. @throws when the sender is silent for too long, or ends within a frame */
export async function* unframed(input: Content, silence = SILENCE_MS): AsyncGenerator<Uint8Array> {
  const source = input[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  let left = 0;
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the sender is gone: nothing was saved")), silence);
    });
    const next = await Promise.race([source.next(), silent]).finally(() => clearTimeout(timer));
    if (next.done === true) {
      if (left > 0 || held.length > 0) throw new Error("the sender ended within a frame");
      return;
    }
    held = Buffer.concat([held, next.value]);
    while (held.length > 0) {
      if (left === 0) {
        if (held.length < HEAD_BYTES) break;
        left = held.readUInt32BE(0);
        held = held.subarray(HEAD_BYTES);
        continue;
      }
      const part = held.subarray(0, left);
      left -= part.length;
      held = held.subarray(part.length);
      yield part;
    }
  }
}
