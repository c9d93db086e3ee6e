import { refuseTellingLogs } from "../lib/engineLogs.ts";
import { changesStack } from "../lib/held.ts";
import { main } from "../lib/log.ts";
import { fromHere, stackOf } from "../lib/pulumiArgs.ts";
import { withStackLock } from "../lib/stackLock.ts";
import { openWorkspace } from "../lib/workspace.ts";

// Passes any command on to the CLI that the project uses, with the backend, passphrase and stack of this clone.
await main(async () => {
  const args = process.argv.slice(2);
  refuseTellingLogs(args);
  const { stack, added } = stackOf(args);
  const workspace = await openWorkspace(stack);
  const all = [...fromHere(args, process.env.INIT_CWD ?? process.cwd()), ...added];
  const pass = async () => (await workspace.pulumi(all, { output: "show", allowFailure: true })).code;
  return changesStack(args) ? withStackLock(stack, `pulumi ${args[0]}`, pass) : pass();
});
