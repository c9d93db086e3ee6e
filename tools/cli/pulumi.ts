import { command } from "../lib/command.ts";
import { refuseTellingLogs } from "../lib/engineLogs.ts";
import { changesStack } from "../lib/held.ts";
import { fromHere, stackOf } from "../lib/pulumiArgs.ts";
import { withStackLock } from "../lib/stackLock.ts";
import { openWorkspace } from "../lib/workspace.ts";

/** Passes any command on to the CLI that the project uses, with the backend, passphrase and stack of this clone. */
export const pulumiCommand = command(
  {
    usage: "ARGUMENT...",
    about: `Runs any Pulumi command, with the engine, the backend and the passphrase of this clone. Without --stack it is about the local
stack; login, logout and whoami are about the backend of staging and production. File names are relative to the current
directory. \`pulumi --help\` prints Pulumi's own help.

  config set --secret openai                 a key of the local stack
  config set --secret openai --stack staging
  stack output containers                    the containers' names`,
    options: {},
    handsOn: "all",
    changes: "nothing",
  },
  async (_, args) => {
    refuseTellingLogs(args);
    const { stack, added } = stackOf(args);
    const workspace = await openWorkspace(stack);
    const all = [...fromHere(args, process.cwd()), ...added];
    const pass = async () => (await workspace.pulumi(all, { output: "show", allowFailure: true })).code;
    return changesStack(args) ? withStackLock(stack, `pulumi ${args[0]}`, pass) : pass();
  },
);
