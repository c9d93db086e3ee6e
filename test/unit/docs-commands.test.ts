import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../tools/lib/workspace.ts";
import { documentedCommands, proofs } from "../e2e/lib/documented.ts";

test("every command that a page tells to type is run by a test, or named with what it needs", () => {
  const documented = documentedCommands();
  expect([...documented.keys()].filter((command) => !(command in proofs))).toEqual([]);
  expect(Object.keys(proofs).filter((command) => !documented.has(command))).toEqual([]);
});

test("a test that is named as the one that runs a command is there", () => {
  for (const [command, proof] of Object.entries(proofs))
    if (typeof proof === "object" && "seenIn" in proof)
      expect(existsSync(join(root, proof.seenIn)), command).toBe(true);
});
