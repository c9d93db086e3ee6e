import { existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../tools/lib/workspace.ts";

const filesOf = (...patterns: readonly string[]) =>
  globSync([...patterns], { cwd: root, exclude: (path) => path.includes("node_modules") });

/** Files that are named after what somebody types: a command of ./autollm, or a service. */
const TYPED = /^(?:tools\/cli|services\/reference\/src\/roles)\//;

const CAMEL = /^[a-z][A-Za-z0-9]*(?:\.d)?\.ts$/;
const KEBAB = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:\.test)?\.(?:ts|sh)$/;

describe("the names of files", () => {
  it.each(filesOf("{components,policies,services,tools}/**/*.ts").filter((path) => !TYPED.test(path)))(
    "%s is a module: camelCase",
    (path) => expect(basename(path)).toMatch(CAMEL),
  );

  it.each(
    filesOf(
      "{components,tools,services}/**/*.sh",
      "test/**/*.test.ts",
      "{tools/cli,services/reference/src/roles}/*.ts",
    ),
  )("%s is a script, a test or a command: kebab-case", (path) => expect(basename(path)).toMatch(KEBAB));

  it("of the folders of unit tests say what they test", () => {
    const homes = ["components", "services", "services/reference/src", "."];
    const named = new Set(filesOf("test/unit/*/*.test.ts").map((path) => path.split("/")[2] ?? ""));
    expect([...named].filter((name) => !homes.some((home) => existsSync(join(root, home, name))))).toEqual([]);
  });
});
