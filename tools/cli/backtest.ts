import { command } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { UserError } from "../lib/log.ts";
import { openWorkspace, outputs } from "../lib/workspace.ts";

const HELP = `usage: npm run backtest -- [--stack NAME]

Runs the backtest engine once, to its end, and ends with its exit code. Its reports stay in the stack's volume "reports".

  --stack NAME   another stack than "local"`;

await command(
  { help: HELP, options: { stack: { type: "string", default: "local" } }, changes: "nothing" },
  async ({ stack }) => {
    const workspace = await openWorkspace(stack);
    const { backtestContainer } = await outputs(workspace);
    if (typeof backtestContainer !== "string") throw new UserError(`stack ${stack} is not up; run: npm run up`);
    const daemon = await Daemon.of(workspace);
    const { code } = await daemon.run(["start", "--attach", backtestContainer], { output: "show", allowFailure: true });
    return code;
  },
);
