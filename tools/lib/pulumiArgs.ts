import { resolve } from "node:path";

/** Commands that take no --stack, so that none is added. */
const STACKLESS = ["version", "plugin", "about", "help", "schema", "policy", "new"];

/** Commands about the backend that somebody chose, which is that of the shared stacks: the local ones have theirs in this clone. */
const ABOUT_BACKEND = ["login", "logout", "whoami"];
const SHARED = "staging";

/** Commands of `pulumi stack` that may name their stack without an option. */
const NAMING = ["init", "rm", "select"];

/** Options that name a file or a folder, which the user means from where they stand, while the CLI stands elsewhere. */
const PATH_OPTIONS = [
  ...["--file", "--plan", "--save-plan", "--config-file"],
  ...["--policy-pack", "--policy-pack-config", "--out"],
];

/** The arguments with the paths of files and folders as seen from the user's folder. */
export function fromHere(args: readonly string[], here: string): string[] {
  return args.map((arg, index) => {
    const [option = "", path] = arg.split(/=(.*)/s, 2);
    if (path !== undefined && PATH_OPTIONS.includes(option)) return `${option}=${resolve(here, path)}`;
    return PATH_OPTIONS.includes(args[index - 1] ?? "") ? resolve(here, arg) : arg;
  });
}

/** The stack that an option names; undefined without one. */
function named(args: readonly string[]): string | undefined {
  const given = args.findIndex((arg) => /^(--stack|-s)(=|$)/.test(arg));
  if (given === -1) return undefined;
  return args[given]?.split(/=(.*)/s, 2)[1] ?? args[given + 1] ?? "local";
}

/** The stack that a command line of Pulumi's is about, and what is added to it: unless one is named, it is the local one. */
export function stackOf(args: readonly string[]): { readonly stack: string; readonly added: readonly string[] } {
  const given = named(args);
  if (given !== undefined) return { stack: given, added: [] };
  const [command, verb = "", name] = args;
  if (command !== undefined && ABOUT_BACKEND.includes(command)) return { stack: SHARED, added: [] };
  if (command === "stack" && NAMING.includes(verb) && name !== undefined && !name.startsWith("-"))
    return { stack: name, added: [] };
  const stackless = command === undefined || STACKLESS.includes(command) || command.startsWith("-");
  return { stack: "local", added: stackless ? [] : ["--stack", "local"] };
}
