import { resolve } from "node:path";

/** Commands that take no --stack, so that none is added. */
const STACKLESS = ["version", "plugin", "login", "logout", "whoami", "about", "help", "schema", "policy", "new"];

/** Commands of `pulumi stack` that may name their stack without an option. */
const NAMING = ["init", "rm", "select"];

/** Options that name a file, which the user means from where they stand, while the CLI stands elsewhere. */
const FILE_OPTIONS = ["--file", "--plan", "--save-plan"];

/** The arguments with the paths of files as seen from the user's folder. */
export function fromHere(args: readonly string[], here: string): string[] {
  return args.map((arg, index) => {
    const [option = "", path] = arg.split("=", 2);
    if (path !== undefined && FILE_OPTIONS.includes(option)) return `${option}=${resolve(here, path)}`;
    return FILE_OPTIONS.includes(args[index - 1] ?? "") ? resolve(here, arg) : arg;
  });
}

/** The stack that a command line of Pulumi's is about, and what is added to it: without a word it is the local one. */
export function stackOf(args: readonly string[]): { readonly stack: string; readonly added: readonly string[] } {
  const given = args.findIndex((arg) => arg === "--stack" || arg === "-s");
  if (given !== -1) return { stack: args[given + 1] ?? "local", added: [] };
  const [command, verb = "", name] = args;
  if (command === "stack" && NAMING.includes(verb) && name !== undefined && !name.startsWith("-"))
    return { stack: name, added: [] };
  const stackless = command === undefined || STACKLESS.includes(command);
  return { stack: "local", added: stackless ? [] : ["--stack", "local"] };
}
