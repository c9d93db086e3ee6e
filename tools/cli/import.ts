import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import type { AdoptedSetting } from "../../components/outside.ts";
import { type Adoption, adoption } from "../lib/adoption.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, STACK, USAGE, YES } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { decoded, decrypted, environmentFile } from "../lib/oldInstallation/environment.ts";
import { isInstallation, OldHost } from "../lib/oldInstallation/host.ts";
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

async function textOf(path: string): Promise<string> {
  if (!existsSync(path)) throw new UserError(`there is no file ${path}`, USAGE);
  return path.endsWith(".enc") ? decrypted(path) : decoded(readFileSync(path), path);
}

/** An old installation's variables, and what reads the files that they name. */
interface Secrets {
  /** As it is told to the operator. */
  readonly file: string;
  readonly adopted: Adoption;
}

async function secretsOf(word: string): Promise<Secrets> {
  if (!isInstallation(word)) {
    const path = resolve(word);
    const read = (name: string) => {
      const found = resolve(dirname(path), name);
      return existsSync(found) ? readFileSync(found, "utf8") : undefined;
    };
    return { file: word, adopted: adoption(await textOf(path), read) };
  }
  const host = OldHost.of(word);
  const { name, text } = await environmentFile(host);
  // Which files the variables name is known once they are read, and another machine's files are not read at once.
  const named = new Set<string>();
  adoption(text, (path) => void named.add(path));
  const files = new Map<string, string>();
  for (const path of named) {
    const bytes = await host.file(path);
    if (bytes !== undefined) files.set(path, bytes.toString());
  }
  return { file: `${host.name}/${name}`, adopted: adoption(text, (path) => files.get(path)) };
}

export const importCommand = command(
  {
    usage: "FILE|INSTALLATION",
    about: `Copies the secrets of an old installation into a stack's config, encrypted, and never prints a value. What is no secret, such as
the mail server's name, is copied in plain text. If there are known defaults or weak values, it names them all and sets nothing.
A value that the stack already has stays.
A copied value takes the place of a generated one, so that running programs keep their passwords; \`rotate\` replaces it later.
With --data, an old installation's data instead, into the running stack, in place of what that has: tables, keys of Redis, streams,
Grafana's own dashboards and users, files, the kill switch. Stop its services first; its Postgres and Redis run on. It is only read.
Everything is saved as a backup of the stack, verified and restored as one, and compared; what is left behind is listed.`,
    words: {
      FILE: ".env, or .env.enc if sops and its key are on this machine",
      INSTALLATION: "the old installation's directory: on this machine, or ssh://USER@HOST/DIRECTORY",
    },
    positionals: true,
    options: {
      stack: STACK,
      data: { type: "boolean", says: "move the data instead of the secrets" },
      "dry-run": {
        type: "boolean",
        says: "with --data: only print what would be moved, with sizes and times, and what is wrong",
      },
      table: {
        type: "string",
        multiple: true,
        default: [],
        value: "TABLE=SERVICE",
        says: "with --data: the service that owns a table which nobody owns. May be given several times",
      },
      project: {
        type: "string",
        value: "NAME",
        says: "with --data: the compose project, if the directory has several",
      },
      overwrite: { type: "boolean", says: "also replace what the stack has set" },
      yes: YES,
    },
    // A shared stack's config is a file of this clone.
    changes: ({ stack, data, "dry-run": dryRun }) =>
      dryRun === true || (data !== true && isShared(stack)) ? undefined : stack,
  },
  async ({ stack, overwrite, yes, data, "dry-run": dryRun, table, project }, words) => {
    const [word] = words;
    if (word === undefined || words.length > 1) throw new UserError("name one file or one installation", USAGE);
    if (data === true) {
      if (overwrite === true) throw new UserError("--overwrite is about secrets: it does not go with --data", USAGE);
      if (!isInstallation(word))
        throw new UserError(`${word} is no directory of this machine, and no ssh:// address`, USAGE);
      const { importData } = await import("../lib/oldInstallation/importData.ts");
      const choices = { owners: table, project, dryRun: dryRun === true, unasked: unasked(yes) };
      return importData({ stack, from: word, ...choices });
    }
    if (dryRun === true || table.length > 0 || project !== undefined)
      throw new UserError("--dry-run, --table and --project go with --data", USAGE);
    const { file, adopted } = await secretsOf(word);
    const { taken, settings, ignored, faults } = adopted;
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
    const holds = file.endsWith(".enc")
      ? "an attacker with its key reads every secret"
      : "it holds every secret in plain text";
    say(`destroy ${file} and its copies when the old installation is gone: ${holds}`);
    return 0;
  },
);
