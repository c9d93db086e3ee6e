import { existsSync, globSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../tools/lib/workspace.ts";

function filesOf(...patterns: readonly string[]): readonly string[] {
  const found = patterns.map((pattern) =>
    globSync(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") }),
  );
  // A pattern without files would let every name pass.
  for (const [index, files] of found.entries()) expect(files, patterns[index]).not.toEqual([]);
  return found.flat();
}

/** Files that are named after what somebody types: a command of ./autollm, or a service. */
const TYPED = /^(?:tools\/cli|services\/reference\/src\/roles)\//;

const CAMEL = /^[a-z][A-Za-z0-9]*(?:\.d)?\.ts$/;
const KEBAB = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:\.test)?\.(?:ts|sh)$/;

/** Those of the files whose names have another form. */
const others = (form: RegExp, ...patterns: readonly string[]) =>
  filesOf(...patterns).filter((path) => !form.test(basename(path)));

describe("the names of files", () => {
  it("are camelCase for a module", () => {
    expect(others(CAMEL, "{components,policies,services,tools}/**/*.ts").filter((path) => !TYPED.test(path))).toEqual(
      [],
    );
  });

  it("are kebab-case for a script, a test, a command and a service's role", () => {
    const typed = "{tools/cli,services/reference/src/roles}/*.ts";
    expect(others(KEBAB, "{components,tools,services}/**/*.sh", "test/**/*.test.ts", typed)).toEqual([]);
  });

  it("of the folders of unit tests say what they test", () => {
    const homes = ["components", "services", "services/reference/src", "."];
    const named = new Set(filesOf("test/unit/*/*.test.ts").map((path) => path.split("/")[2] ?? ""));
    expect([...named].filter((name) => !homes.some((home) => existsSync(join(root, home, name))))).toEqual([]);
  });
});
