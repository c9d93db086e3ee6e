import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isUnknown, unknownInputs } from "../../../tools/bootstrap/engine/differences.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { runPlatform } from "../lib/platform.ts";

/** The path of every value in an object; the elements of a list share their list's path. */
function paths(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => paths(element, path));
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => paths(inner, path === "" ? key : `${path}.${key}`));
}

describe("a built engine", () => {
  it("knows every input that the program gives", async () => {
    const { resources } = await runPlatform();
    const unknown = resources.flatMap(({ type, name, inputs }) =>
      paths(inputs)
        .filter((path) => isUnknown(type, path))
        .map((path) => `${type} ${name}: ${path}`),
    );
    expect(unknown).toEqual([]);
  });

  it("has what it does not know written down", () => {
    const page = readFileSync(`${root}/docs/engine.md`, "utf8");
    const names = Object.values(unknownInputs).flat();
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
