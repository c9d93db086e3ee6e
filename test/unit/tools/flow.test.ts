import { describe, expect, it } from "vitest";
import { feedAndRead, splitHead, textFrom, written } from "../../../tools/lib/flow.ts";

async function* pieces(...all: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const each of all) yield Buffer.from(each);
}
async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("a");
  throw new Error("the source failed");
}
const shell = (script: string, content: AsyncIterable<Uint8Array> = pieces()) =>
  feedAndRead("sh", ["-c", script], content);

describe("a program that content flows through", () => {
  it("answers what it makes of it", async () => {
    expect(await textFrom(shell("tr a-z A-Z", pieces("one ", "two")))).toBe("ONE TWO");
    const large = "x".repeat(3_000_000);
    expect((await textFrom(shell("cat", pieces(large, large)))).length).toBe(6_000_000);
  });

  it("fails with what it calls an error, and not with the rows around it", async () => {
    const script = "echo 'ERROR: no right' >&2; echo 'CONTEXT: row 17' >&2; exit 3";
    await expect(textFrom(shell(script))).rejects.toThrow(/^ERROR: no right$/);
    await expect(textFrom(shell("exit 4"))).rejects.toThrow("exit code 4");
  });

  it("fails as its source does, also if it reads on after a signal", async () => {
    await expect(textFrom(shell('trap "" TERM; cat; exit 1', failing()))).rejects.toThrow("the source failed");
    await expect(textFrom(shell("cat", failing()))).rejects.toThrow("the source failed");
  });

  it("may end before it has read everything", async () => {
    expect(await textFrom(shell("head -c 2", pieces(...Array.from({ length: 100 }, () => "x".repeat(65_536)))))).toBe(
      "xx",
    );
  });

  it("is split into a line of JSON and the rest", async () => {
    const { head, rest } = await splitHead<{ n: number }>(pieces('{"n', '":1}\nab', "cd"));
    expect([head, await textFrom(rest)]).toEqual([{ n: 1 }, "abcd"]);
    await expect(splitHead(pieces("no line"))).rejects.toThrow("ended before it said");
  });

  it("takes what a writer writes, and fails as the writer does", async () => {
    expect(await textFrom(written(async (out) => void out.end("abc")))).toBe("abc");
    await expect(textFrom(written(() => Promise.reject(new Error("no more"))))).rejects.toThrow("no more");
  });
});
