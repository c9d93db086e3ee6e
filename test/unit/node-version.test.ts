import { afterEach, expect, it, vi } from "vitest";
import { nodeFault } from "../../components/nodeVersion.cjs";

afterEach(() => vi.unstubAllGlobals());

it.each([
  ["22.18.0", true],
  ["24.0.0", true],
  ["22.17.9", false],
  ["20.19.1", false],
])("Node %s runs the program: %s", (node, fits) => {
  vi.stubGlobal("process", { ...process, versions: { ...process.versions, node } });
  expect(nodeFault() === undefined).toBe(fits);
});

it("says which Node is needed and where one is", () => {
  vi.stubGlobal("process", { ...process, versions: { ...process.versions, node: "20.0.0" } });
  expect(nodeFault()).toMatch(/^Node 20\.0\.0 .* 22\.18 .* export PATH="\$PWD\/node_modules\/\.bin:\$PATH"$/);
});
