import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { split } from "../../tools/lib/command.ts";
import { run } from "../../tools/lib/run.ts";

const folder = fileURLToPath(new URL("../../tools/cli/", import.meta.url));
/** Hand on what they do not know to Pulumi or the backtest engine, which have options of their own. */
const OTHERS = ["pulumi.ts", "backtest.ts"];
const commands = readdirSync(folder).filter((file) => !OTHERS.includes(file));

test.each(commands)(
  "%s takes --yes, as every command does, and tells its usage where an option is unknown",
  async (file) => {
    const { code, stderr } = await run(process.execPath, [`${folder}${file}`, "--yes", "--no-such-option"], {
      allowFailure: true,
    });
    expect(code).toBe(64);
    expect(stderr).toContain("'--no-such-option'");
    expect(stderr).toContain("\nusage: npm run ");
  },
);

describe("a command that hands on", () => {
  const options = { stack: { type: "string" }, yes: { type: "boolean" } } as const;
  it.each<[string, string[], string[]]>([
    ["", [], []],
    ["BTC-USD --start 2025-01-01", [], ["BTC-USD", "--start", "2025-01-01"]],
    ["--stack mine BTC-USD --stack theirs", ["--stack", "mine"], ["BTC-USD", "--stack", "theirs"]],
    ["--stack=mine --yes --fast", ["--stack=mine", "--yes"], ["--fast"]],
    ["--stack mine -- --help", ["--stack", "mine"], ["--help"]],
    ["-- --yes", [], ["--yes"]],
    ["--start 2025-01-01", [], ["--start", "2025-01-01"]],
  ])("keeps its own options of %j, and hands on the rest as it stands", (line, own, rest) => {
    expect(split(line === "" ? [] : line.split(" "), options)).toEqual([own, rest]);
  });
});
