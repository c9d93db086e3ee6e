import { describe, expect, it } from "vitest";
import { crossed, differences, readSums } from "../../../../tools/lib/move/copy.ts";

const row = (contents: string, names = "n", files = 2, bytes = 9, unread = 0) =>
  [...readSums(`v ${contents} ${names} ${files} ${bytes} ${unread}\n`).values()][0];

describe("the copy of a volume", () => {
  it("joins two programs, each of which reads what the other one says", async () => {
    const shell = (script: string) => ["sh", ["-c", script]] as const;
    // Neither reads its input to its end: each ends by itself.
    const { codes, words } = await crossed(
      shell('echo question; read -r answer; [ "$answer" = "to question" ]'),
      shell('read -r said; echo "to $said"; echo seen >&2; exit 3'),
    );
    expect(codes).toEqual([0, 3]);
    expect(words).toBe("seen");
  });

  it("is the same where every file, owner and mode is, and says how it differs elsewhere", () => {
    const found = (from: ReturnType<typeof row>, to: ReturnType<typeof row>) =>
      differences(new Map([["redis-data", [from, to] as const]]));
    expect(found(row("c"), row("c"))).toEqual([]);
    expect(found(row("c"), row("d"))).toEqual(["redis-data: a file has another content"]);
    expect(found(row("c"), row("c", "m"))).toEqual(["redis-data: a file has another owner or mode"]);
    expect(found(row("c"), row("c", "n", 3))).toEqual(["redis-data: 2 files with 9 bytes, and 3 with 9"]);
    expect(found(row("c", "n", 2, 9, 1), row("c"))).toEqual(["redis-data: 1 files could not be read"]);
    expect(found(row("c"), undefined)).toEqual(["redis-data was not read"]);
  });
});
