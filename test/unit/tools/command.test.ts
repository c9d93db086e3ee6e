import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { commands, entries } from "../../../tools/commands.ts";
import { command, split } from "../../../tools/lib/command.ts";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";

const autollm = (...words: readonly string[]) => run(join(root, "autollm"), words, { allowFailure: true });
/** Hand on what they do not know to Pulumi or the backtest engine, which have options of their own. */
const OTHERS = ["pulumi", "backtest"];
const names = entries.map(([name]) => name);

test.each(names.filter((name) => !OTHERS.includes(name)))(
  "%s takes --yes, as every command does, and tells its usage where an option is unknown",
  async (name) => {
    const { code, stderr } = await autollm(name, "--yes", "--no-such-option");
    expect(code).toBe(64);
    expect(stderr).toContain("'--no-such-option'");
    expect(stderr).toContain(`\nusage: ./autollm ${name}`);
  },
);

test.each(names)("%s: its help has each of its options, and its usage does", async (name) => {
  const loaded = await commands[name].load();
  const [usage = "", ...rest] = loaded.help(`./autollm ${name}`).split("\n\n");
  expect(usage).toMatch(new RegExp(`^usage: \\./autollm ${name}`));
  for (const [option, { says }] of Object.entries(loaded.options)) {
    expect(usage.replace(/\s+/g, " ")).toContain(`--${option}`);
    expect(rest.join("\n\n")).toContain(`  --${option}`);
    expect(says).toMatch(/./);
  }
  for (const line of loaded.help(`./autollm ${name}`).split("\n"))
    if (!line.startsWith("  ")) expect(line.length, line).toBeLessThanOrEqual(100);
});

describe("./autollm", () => {
  it("shows its commands with --help, and as a wrong usage if no command is named", async () => {
    const { code, stdout } = await autollm("--help");
    expect(code).toBe(0);
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    expect(await autollm()).toMatchObject({ code: 64, stdout: "", stderr: stdout });
  });

  it("answers a word that is no command with the nearest one", async () => {
    const { code, stderr } = await autollm("rollbak");
    expect(code).toBe(64);
    expect(stderr).toContain("there is no command rollbak; did you mean rollback?");
  });

  it("explains a command by help and by --help alike", async () => {
    const { stdout } = await autollm("help", "rotate");
    expect(stdout).toBe((await autollm("rotate", "--help")).stdout);
  });

  it("works from another folder, by a link, and by a Node that npm has brought", async () => {
    const { code, stdout } = await run("sh", [
      "-c",
      `cd / && PATH=/usr/bin:/bin ${join(root, "autollm")} drift --help`,
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain("--repair");
  });

  it("runs no test of another file than the one that is named", async () => {
    const { code, stderr } = await autollm("e2e", "falts.test.ts");
    expect(code).toBe(64);
    expect(stderr).toContain("there are no tests in falts.test.ts; did you mean faults.test.ts?");
  });

  it("refuses words that a command does not take", async () => {
    const { code, stderr } = await autollm("down", "staging");
    expect(code).toBe(64);
    expect(stderr).toContain('"staging" is not expected here');
  });
});

describe("a help", () => {
  const made = command(
    {
      usage: "NAME | --all",
      about: "Does\nsomething.\n\n  an example     as it stands",
      words: { NAME: "whose" },
      options: {
        all: { type: "boolean", says: "every one" },
        to: { type: "string", value: "TIME", says: "until when" },
      },
      differs: "one is due",
      changes: "nothing",
    },
    async () => 0,
  );

  it("is made of the options, each once in the usage", () => {
    expect(made.help("./autollm try")).toBe(`usage: ./autollm try NAME | --all [--to TIME]

Does something.

  an example     as it stands

  NAME        whose
  --all       every one
  --to TIME   until when

Ends with 2 if one is due.`);
  });
});

describe("a command that hands on", () => {
  const options = {
    stack: { type: "string", says: "which" },
    yes: { type: "boolean", says: "do not ask" },
  } as const;
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
