import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test.each(["index.ts", "policies/pack.ts"])(
  "%s first turns off the translation of stack traces, which costs a third of a preview",
  (file) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    expect(/^import .*$/m.exec(text)?.[0]).toMatch(/plainStackTraces\.ts";$/);
  },
);

test("an error of a TypeScript file still names its own line", async () => {
  const before = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  try {
    Error.prepareStackTrace = () => "translated";
    await import("../../components/plainStackTraces.ts");
    expect(new Error("here").stack).toMatch(/stack-traces\.test\.ts:\d+/);
  } finally {
    if (before !== undefined) Object.defineProperty(Error, "prepareStackTrace", before);
  }
});
