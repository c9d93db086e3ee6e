import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import type { AdoptedSetting } from "../../components/outside.ts";
import { adoption } from "../lib/adoption.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, STACK, USAGE, YES } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { run, which } from "../lib/run.ts";
import { ensureLocalStack, isShared, openWorkspace, stackExists } from "../lib/workspace.ts";

/** A stack's config as `pulumi config --json` tells it. */
type Config = Readonly<
  Record<string, { readonly value?: string; readonly objectValue?: Readonly<Record<string, unknown>> } | undefined>
>;

/** Settings that are lists. */
const LISTS: ReadonlySet<AdoptedSetting> = new Set(["mail.recipients"]);

function isSet(config: Config, setting: AdoptedSetting): boolean {
  const [key = "", member] = setting.split(".");
  const found = config[`autollm:${key}`];
  // The project's defaults are among them, where empty means none.
  return member === undefined ? (found?.value ?? "") !== "" : found?.objectValue?.[member] !== undefined;
}

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

export const importCommand = command(
  {
    usage: "FILE",
    about: `Copies the secrets of an old installation into a stack's config, encrypted, and never prints a value. What is no secret, such as
the mail server's name, is copied in plain text. If there are known defaults or weak values, it names them all and sets nothing.
A value that the stack already has stays.
A copied value takes the place of a generated one, so that running programs keep their passwords; \`rotate\` replaces it later.`,
    words: { FILE: ".env, or .env.enc if sops and its key are on this machine" },
    positionals: true,
    options: {
      stack: STACK,
      overwrite: { type: "boolean", says: "also replace what the stack has set" },
      yes: YES,
    },
    // A shared stack's config is a file of this clone.
    changes: ({ stack }) => (isShared(stack) ? undefined : stack),
  },
  async ({ stack, overwrite, yes }, files) => {
    const [file] = files;
    if (file === undefined || files.length > 1) throw new UserError(`name one file`, USAGE);
    const path = resolve(file);
    const read = (name: string) => {
      const found = resolve(dirname(path), name);
      return existsSync(found) ? readFileSync(found, "utf8") : undefined;
    };
    const { taken, settings, ignored, faults } = adoption(await textOf(path), read);
    if (faults.length > 0) throw new UserError(`nothing was set:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);

    const workspace = await openWorkspace(stack);
    if (workspace.local) await ensureLocalStack(workspace);
    else if (!(await stackExists(workspace)))
      throw new UserError(`there is no stack ${stack}: ./autollm pulumi stack init ${stack}`);
    const { stdout } = await workspace.pulumi(["config", "--json", "--stack", stack]);
    const config = JSON.parse(stdout) as Config;
    const present = new Set(Object.keys(config));
    const kept = overwrite === true ? [] : taken.filter(({ credential }) => present.has(`autollm:${credential}`));
    const set = taken.filter((each) => !kept.includes(each));

    const keptSettings = overwrite === true ? [] : settings.filter(({ setting }) => isSet(config, setting));
    const plain = settings.filter((each) => !keptSettings.includes(each));

    for (const { variable, credential } of set) say(`  ${variable} becomes ${credential}, encrypted`);
    for (const { variable, credential } of kept)
      say(`  ${variable}: ${credential} is set and stays (--overwrite replaces it)`);
    for (const { variable, setting } of plain) say(`  ${variable} becomes ${setting}, in plain: it is no secret`);
    for (const { variable, setting } of keptSettings)
      say(`  ${variable}: ${setting} is set and stays (--overwrite replaces it)`);
    for (const { variable, why } of ignored) say(`  ${variable} is ignored: ${why}`);
    const count = set.length + plain.length;
    if (count === 0) {
      say("nothing to set");
      return 0;
    }
    if (!unasked(yes) && !(await confirm(`Set these ${count} in stack ${stack}?`))) {
      say("nothing was changed");
      return 1;
    }
    // By standard input: a command line is seen by everybody on the machine.
    for (const { credential, value } of set)
      await workspace.pulumi(["config", "set", "--stack", stack, "--secret", `autollm:${credential}`], {
        input: value,
      });
    for (const { setting, values } of plain) {
      const change = async (action: string, path: string, value: readonly string[] = []) =>
        workspace.pulumi(["config", action, "--stack", stack, "--path", `autollm:${path}`, ...value]);
      if (!LISTS.has(setting)) await change("set", setting, ["--plaintext", values[0] ?? ""]);
      else {
        // A list that was longer would keep its end.
        if (isSet(config, setting)) await change("rm", setting);
        for (const [index, value] of values.entries())
          await change("set", `${setting}[${index}]`, ["--plaintext", value]);
      }
    }
    say(`${count} set in stack ${stack}; next: ${commandLine(stack, "preview")}, then ${commandLine(stack, "up")}`);
    const holds = path.endsWith(".enc")
      ? "an attacker with its key reads every secret"
      : "it holds every secret in plain text";
    say(`destroy ${file} and its copies when the old installation is gone: ${holds}`);
    return 0;
  },
);
