import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readEnvFile } from "../../../tools/lib/dotenv.ts";

/** What docker compose made of an env file: its values, or that it refused the file. */
interface Case {
  readonly text: string;
  readonly values: Readonly<Record<string, string>> | "refused";
  /** Whether we do not take it though docker compose does, by the name of what is not clear. */
  readonly unclear?: readonly string[];
}

// Made by compose-go's own reader (github.com/compose-spec/compose-go/v2 2.16.2, dotenv.ParseWithLookup), the second half of
// texts that were put together at random.
const cases = JSON.parse(readFileSync(new URL("dotenv-cases.json", import.meta.url), "utf8")) as readonly Case[];

describe("an env file", () => {
  it.each(cases)("$text is read as docker compose reads it", ({ text, values, unclear = [] }) => {
    const { variables, faults } = readEnvFile(text);
    if (values === "refused") {
      expect(faults.length > 0 || variables.every(({ value }) => value === undefined)).toBe(true);
      return;
    }
    if (unclear.includes("*")) expect(faults.length).toBeGreaterThan(0);
    else expect(faults).toEqual([]);
    for (const { name, value } of variables)
      if (unclear.includes(name)) expect(value).toBeUndefined();
      else expect({ name, value }).toEqual({ name, value: values[name] });
    if (!unclear.includes("*"))
      expect(variables.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(values)));
  });

  it("tells the line of what it refuses, all at once, and nothing of a value", () => {
    const text = "A=1\n\nB='one'two\nC D=3\nexport E=4\nF=\"never\nclosed\n";
    expect(readEnvFile(text).faults).toEqual([
      "line 3: B: text stands behind the closing quote; write a quote in the value as \\'",
      expect.stringMatching(/^line 4: is not NAME=VALUE/),
      'line 6: F: the quote " is not closed',
    ]);
  });
});
