import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { adoption } from "../lib/adoption.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { run, which } from "../lib/run.ts";
import { ensureLocalStack, isShared, openWorkspace, stackExists } from "../lib/workspace.ts";

const HELP = `usage: npm run adopt -- FILE [--stack NAME] [--overwrite] [--yes]

Takes the secrets of an old installation into a stack's config, encrypted, and never prints a value. Known defaults and weak
values are refused by name, all at once, before anything is set. What the stack has already stays as it is.
A value that is taken wins over a generated one, so that whatever runs keeps its password; \`npm run rotate\` replaces it later.

  FILE          .env, or .env.enc when sops and its key are here
  --stack NAME  another stack than "local"
  --overwrite   also replace what the stack has set
  --yes         do not ask`;

/** The text of a file, byte for byte: a byte that is no UTF-8 would otherwise become another character. */
function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${path} is not UTF-8: save it as UTF-8, and look whether each value is still the old one`);
  }
}

async function textOf(path: string): Promise<string> {
  if (!existsSync(path)) throw new UserError(`there is no file ${path}`, USAGE);
  if (!path.endsWith(".enc")) return decoded(readFileSync(path), path);
  if ((await which("sops")) === undefined)
    throw new UserError(`${path} is encrypted, and sops is not installed: install it, or decrypt the file yourself`);
  const format = ["--input-type", "dotenv", "--output-type", "dotenv"];
  const { code, stdout } = await run("sops", ["--decrypt", ...format, path], { allowFailure: true });
  // What sops says of a failure may hold part of the file.
  if (code !== 0) throw new UserError(`sops could not decrypt ${path}: is its key here? Try: sops --decrypt ${path}`);
  return stdout;
}

await command(
  {
    help: HELP,
    positionals: true,
    options: {
      stack: { type: "string", default: "local" },
      overwrite: { type: "boolean" },
      yes: { type: "boolean" },
    },
    // A shared stack's config is a file of this clone.
    changes: ({ stack }) => (isShared(stack) ? undefined : stack),
  },
  async ({ stack, overwrite, yes }, files) => {
    const [file] = files;
    if (file === undefined || files.length > 1) throw new UserError(`name one file\n\n${HELP}`, USAGE);
    const path = resolve(file);
    const read = (name: string) => {
      const found = resolve(dirname(path), name);
      return existsSync(found) ? readFileSync(found, "utf8") : undefined;
    };
    const { taken, ignored, faults } = adoption(await textOf(path), read);
    if (faults.length > 0) throw new UserError(`nothing was set:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);

    const workspace = await openWorkspace(stack);
    if (workspace.local) await ensureLocalStack(workspace);
    else if (!(await stackExists(workspace)))
      throw new UserError(`there is no stack ${stack}: pulumi stack init ${stack}`);
    const { stdout } = await workspace.pulumi(["config", "--json", "--stack", stack]);
    const present = new Set(Object.keys(JSON.parse(stdout) as object));
    const kept = overwrite === true ? [] : taken.filter(({ credential }) => present.has(`autollm:${credential}`));
    const set = taken.filter((each) => !kept.includes(each));

    for (const { variable, credential } of set) say(`  ${variable} becomes ${credential}, encrypted`);
    for (const { variable, credential } of kept)
      say(`  ${variable}: ${credential} is set and stays (--overwrite replaces it)`);
    for (const { variable, why } of ignored) say(`  ${variable} is ignored: ${why}`);
    if (set.length === 0) {
      say("nothing to set");
      return 0;
    }
    if (!unasked(yes) && !(await confirm(`Set these ${set.length} in stack ${stack}?`))) {
      say("nothing was changed");
      return 1;
    }
    // By standard input: a command line is seen by everybody on the machine.
    for (const { credential, value } of set)
      await workspace.pulumi(["config", "set", "--stack", stack, "--secret", `autollm:${credential}`], {
        input: value,
      });
    say(
      `${set.length} set in stack ${stack}; next: npm run preview, then npm run up${stack === "local" ? "" : ` (-- --stack ${stack})`}`,
    );
    const holds = path.endsWith(".enc")
      ? "whoever has its key reads every secret"
      : "it holds every secret in plain text";
    say(`destroy ${file} and its copies when the old installation is gone: ${holds}`);
    return 0;
  },
);
