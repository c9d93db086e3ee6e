import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { entries, groups } from "../../../tools/commands.ts";
import { overview } from "../../../tools/docs/commands.ts";
import { completionScript } from "../../../tools/lib/completion.ts";
import { EXIT_CODES } from "../../../tools/lib/exitCodes.ts";
import { run, which } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";

const text = (path: string) => readFileSync(join(root, path), "utf8");
const names = entries.map(([name]) => name);

describe("the table of commands", () => {
  it("has every command that lies in tools/cli", () => {
    const table = text("tools/commands.ts");
    for (const file of readdirSync(join(root, "tools/cli"))) expect(table, file).toContain(`import("./cli/${file}")`);
  });

  it("has them by groups, those that the platform names among them", () => {
    const members = Object.fromEntries(
      Object.keys(groups).map((group) => [
        group,
        entries.flatMap(([name, entry]) => (entry.group === group ? [name] : [])),
      ]),
    );
    expect(members).toMatchObject({
      run: ["up", "preview", "status", "down", "move", "pulumi"],
      release: ["deploy", "rollback", "promote", "pin", "check-image"],
      data: expect.arrayContaining(["backup", "restore", "import"]),
      credentials: ["rotate"],
      safety: expect.arrayContaining(["kill-switch", "drift", "smoke"]),
    });
    expect(Object.values(members).flat().length).toBe(names.length);
  });

  it("says each in a line of a terminal, and names pages and headings that are there", () => {
    for (const line of overview().split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const [name, { summary, page }] of entries) {
      expect(overview()).toContain(`  ${name.padEnd(20)}${summary}\n`);
      if (page === undefined) continue;
      const [file = "", heading] = page.split("#");
      expect(existsSync(join(root, file)), page).toBe(true);
      const headings = text(file)
        .split("\n")
        .filter((line) => line.startsWith("#"))
        .map((line) => line.replace(/^#+ /, "").toLowerCase().replaceAll(" ", "-"));
      if (heading !== undefined) expect(headings).toContain(heading);
    }
  });

  it("states the exit codes once for people, too", () => {
    for (const [code, says] of Object.entries(EXIT_CODES))
      expect(text("docs/operations.md")).toContain(`| ${code} | ${says} |`);
  });
});

describe("the completion", () => {
  const loaded = () =>
    Promise.all(
      entries.map(async ([name, { summary, load }]) => {
        const { options, choices } = await load();
        return { name, summary, options, choices };
      }),
    );

  /** What bash offers for a line whose last word is under the cursor. */
  const offered = async (...words: readonly string[]) => {
    const script = `${completionScript("bash", await loaded())}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _autollm; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script, "bash", join(root, "autollm"), ...words]);
    return stdout.trim().split("\n");
  };

  it("of bash offers every command", async () => {
    expect(await offered("")).toEqual([...names, "help"]);
    expect(await offered("ro")).toEqual(["rollback", "rotate"]);
    expect(await offered("help", "kill")).toEqual(["kill-switch"]);
  });

  it("of bash offers a command's options and known words", async () => {
    expect(await offered("status", "--")).toEqual(["--stack", "--json", "--watch", "--help"]);
    expect(await offered("kill-switch", "o")).toEqual(["on", "off"]);
    expect(await offered("check-image", "--application", "")).toContain("conventions");
  });

  it("of bash offers the stacks that the clone's files name, and the shell its files where a value is free", async () => {
    expect(await offered("up", "--stack", "s")).toEqual(["staging"]);
    expect(await offered("restore", "--state", "")).toEqual([""]);
  });

  it("of zsh has every command and option, and is a script that zsh reads", async () => {
    const script = completionScript("zsh", await loaded());
    for (const { name, options } of await loaded()) {
      expect(script).toContain(`    ${name}) _arguments `);
      for (const option of Object.keys(options)) expect(script).toContain(`--${option}[`);
    }
    // Quotes and brackets that do not match would end it early.
    const zsh = await which("zsh");
    const checked = await run(zsh ?? "bash", ["-n"], {
      input: script.replaceAll("(( CURRENT-- ))", ":"),
      allowFailure: true,
    });
    expect(checked.stderr).toBe("");
  });
});
