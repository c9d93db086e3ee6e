import { describe, expect, it } from "vitest";
import { closest } from "../../components/closest.ts";

describe("the hint for a mistyped name", () => {
  it.each([
    ["htpPort", "httpPort"],
    ["trade", undefined],
    ["generations", "generation"],
    ["", undefined],
  ])("%j: %s", (name, hint) =>
    expect(closest(name, ["httpPort", "httpsPort", "generation", "environment"])).toBe(hint),
  );
});
