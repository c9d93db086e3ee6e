import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkKitFolder, type KitFacts, kitDifferences, writeKit } from "../../../tools/lib/recoveryKit.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { randomText } from "../lib/values.ts";

let home: string;
let folder: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kit-test-"));
  folder = join(home, "kit");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const facts: KitFacts = {
  stack: "production",
  backupKey: randomText(32),
  passphrase: randomText(32),
  config: "config:\n  autollm:environment: production\n",
  state: '{"version": 3}\n',
};

describe("a recovery kit", () => {
  it("is for its owner alone, and says how it is used", () => {
    const names = writeKit(folder, facts, new Date("2026-03-01T00:00:00Z"));
    expect(names).toEqual(["backup-key", "passphrase", "Pulumi.production.yaml", "stack.json", "README.txt"]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    expect(readFileSync(join(folder, "backup-key"), "utf8").trim()).toBe(facts.backupKey);
    const readme = readFileSync(join(folder, "README.txt"), "utf8");
    expect(readme).toContain("docs/disaster.md");
    for (const secret of [facts.backupKey, facts.passphrase ?? ""]) expect(readme).not.toContain(secret);
  });

  it("has no passphrase where a key service opens the secrets, and says so", () => {
    writeKit(folder, { ...facts, passphrase: undefined }, new Date());
    expect(existsSync(join(folder, "passphrase"))).toBe(false);
    expect(readFileSync(join(folder, "README.txt"), "utf8")).toContain("key service");
  });

  it("is right until the key, the passphrase or the config changes; another state is only older", () => {
    writeKit(folder, facts, new Date());
    expect(kitDifferences(folder, facts)).toEqual([]);
    const changed = { ...facts, backupKey: randomText(32), config: `${facts.config}# more\n`, state: "{}" };
    expect(kitDifferences(folder, changed).map(({ file, vital }) => [file, vital])).toEqual([
      ["backup-key", true],
      ["Pulumi.production.yaml", true],
      ["stack.json", false],
    ]);
    rmSync(join(folder, "passphrase"));
    expect(kitDifferences(folder, facts)).toEqual([{ file: "passphrase", says: "is missing", vital: true }]);
  });

  it("takes another kit's place, and no other folder's", () => {
    writeKit(folder, facts, new Date());
    expect(() => checkKitFolder(folder)).not.toThrow();
    expect(() => checkKitFolder(join(home, "new"))).not.toThrow();
    writeFileSync(join(folder, "letters.txt"), "");
    expect(() => checkKitFolder(folder)).toThrow("holds other files (letters.txt)");
  });

  it("is never inside the clone", () => {
    for (const inside of [root, join(root, "kit"), join(root, ".pulumi-local", "kit")])
      expect(() => checkKitFolder(inside)).toThrow("is inside the clone");
  });
});
