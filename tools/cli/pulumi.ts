import { resolve } from "node:path";
import { refuseTellingLogs } from "../lib/engineLogs.ts";
import { main } from "../lib/log.ts";
import { openWorkspace } from "../lib/workspace.ts";

/** Commands that take no --stack, so that none is added. */
const STACKLESS = ["version", "plugin", "login", "logout", "whoami", "about", "help", "schema", "policy", "new"];

/** Options that name a file, which the user means from where they stand, while the CLI stands elsewhere. */
const FILE_OPTIONS = ["--file", "--plan", "--save-plan"];

/** The arguments with the paths of files as seen from the user's folder. */
function fromHere(args: readonly string[]): string[] {
  const here = process.env.INIT_CWD ?? process.cwd();
  return args.map((arg, index) => {
    const [option = "", path] = arg.split("=", 2);
    if (path !== undefined && FILE_OPTIONS.includes(option)) return `${option}=${resolve(here, path)}`;
    return FILE_OPTIONS.includes(args[index - 1] ?? "") ? resolve(here, arg) : arg;
  });
}

// Passes any command on to the CLI that the project uses, with the backend, passphrase and stack of this clone.
await main(async () => {
  const args = process.argv.slice(2);
  refuseTellingLogs(args);
  const given = args.findIndex((arg) => arg === "--stack" || arg === "-s");
  const stack = given === -1 ? "local" : (args[given + 1] ?? "local");
  const workspace = await openWorkspace(stack);
  const added = given === -1 && args[0] !== undefined && !STACKLESS.includes(args[0]) ? ["--stack", stack] : [];
  const { code } = await workspace.pulumi([...fromHere(args), ...added], { output: "show", allowFailure: true });
  return code;
});
