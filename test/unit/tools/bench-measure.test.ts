import { expect, test } from "vitest";
import { measure, table } from "../../../tools/bench/measure.ts";
import { withCommit } from "../../../tools/bench/other.ts";
import { run } from "../../../tools/lib/run.ts";

const hold = (mib: number) => `const held = Buffer.alloc(${mib} * 1024 ** 2, 1); setTimeout(() => held, 1500)`;

test("memory is that of all programs that the work starts, also of those that they start", async () => {
  const shell = ["-c", '"$0" -e "$1" & "$0" -e "$1" & wait', process.execPath, hold(100)];
  const { seconds, peakMiB } = await measure(() => run("sh", shell));
  expect(seconds).toBeGreaterThan(1.4);
  expect(peakMiB).toBeGreaterThan(200);
  expect(peakMiB).toBeLessThan(500);
});

test("a table has one line per row, and figures with one digit", () => {
  expect(table(["what", "seconds"], [["up", 1.26]])).toBe("| what | seconds |\n| --- | --- |\n| up | 1.3 |");
});

test("a commit that the repository does not have is refused", async () => {
  await expect(withCommit("no-such-commit", async () => undefined)).rejects.toThrow(
    "--compare no-such-commit: this repository has no such commit",
  );
});
