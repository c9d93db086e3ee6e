import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { architecturePage, components } from "../../tools/docs/architecture.ts";
import { root } from "../../tools/lib/workspace.ts";

describe("the architecture", () => {
  it("names every component of the program, with an existing file and its own sentence", () => {
    const program = readFileSync(join(root, "index.ts"), "utf8");
    expect(components().map(({ name }) => name)).toEqual(
      [...program.matchAll(/^(?:const \w+ = |)new (?!Map)(\w+)\(/gm)].map(([, name]) => name),
    );
    for (const { name, file, purpose } of components()) {
      expect(existsSync(join(root, file)), file).toBe(true);
      expect(purpose, name).toMatch(/^[A-Z].{10,}/);
    }
  });

  it("has every service in its picture, but for the batch job", () => {
    const [picture = ""] = architecturePage().split("## The way of an order");
    for (const name of serviceNames.filter((each) => each !== "backtest-engine"))
      expect(picture).toContain(`  ${name}\n`);
  });
});
