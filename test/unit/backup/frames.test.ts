import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { feed } from "../../../services/backup/src/exec.ts";
import { framed, unframed } from "../../../services/backup/src/frames.ts";

async function* pieces(...all: readonly (string | number)[]): AsyncGenerator<Uint8Array> {
  for (const each of all)
    if (typeof each === "number") await sleep(each);
    else yield Buffer.from(each);
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The same bytes in pieces of another size. */
async function* cut(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(await whole(content).then((text) => Buffer.from(text, "latin1")));
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("framed content", () => {
  it("is what it was, whatever the pieces are", async () => {
    expect(await whole(unframed(framed(pieces("one", "", "two"))))).toBe("onetwo");
    for (const size of [1, 3, 5, 100])
      expect(await whole(unframed(cut(framed(pieces("one", "two")), size)))).toBe("onetwo");
  });

  it("goes on while its source is silent, by heartbeats", async () => {
    expect(await whole(unframed(framed(pieces("a", 400, "b"), 20), 150))).toBe("ab");
  });

  it("fails when its sender is gone, or ended in the middle", async () => {
    await expect(whole(unframed(pieces(1000), 50))).rejects.toThrow("the sender is gone");
    await expect(whole(unframed(pieces("\0\0\0\u0009abc")))).rejects.toThrow("ended within a frame");
  });

  it("fails as its source does", async () => {
    const failing = (async function* () {
      yield Buffer.from("a");
      throw new Error("the source failed");
    })();
    await expect(whole(framed(failing))).rejects.toThrow("the source failed");
  });
});

describe("a program that is fed", () => {
  it("ends when what feeds it fails, also if it reads on after it is told to end", async () => {
    const script = 'trap "" TERM; cat >/dev/null';
    const failed = feed("sh", ["-c", script], async (stdin) => {
      stdin.write("a");
      await sleep(300);
      throw new Error("nothing to write");
    });
    await expect(failed).rejects.toThrow("nothing to write");
  });
});
