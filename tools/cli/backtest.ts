import { commandLine } from "../../components/configCommand.ts";
import { command, STACK } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { UserError } from "../lib/log.ts";
import { runLike } from "../lib/oneRun.ts";
import { openWorkspace, outputs } from "../lib/workspace.ts";

export const backtestCommand = command(
  {
    usage: "[--stack NAME] [ARGUMENT...]",
    about: `Runs the backtest engine once, to its end, and ends with its exit code. Its reports stay in the stack's volume "reports", at
/reports. Arguments are passed to it unchanged, after the command of its entry; several runs with arguments may run in parallel.

  ./autollm backtest BTC-USD --start 2025-01-01 --end 2025-06-30 --report-dir /reports`,
    words: { "--": "ends these options: `backtest -- --help` prints the backtest engine's own help" },
    options: { stack: { ...STACK, says: `${STACK.says}; it must come first` } },
    handsOn: "rest",
    changes: "nothing",
  },
  async ({ stack }, words) => {
    const workspace = await openWorkspace(stack);
    const { backtestContainer } = await outputs(workspace);
    if (typeof backtestContainer !== "string")
      throw new UserError(`stack ${stack} is not up; run: ${commandLine(stack, "up")}`);
    const daemon = await Daemon.of(workspace);
    if (words.length > 0) return runLike(daemon, backtestContainer, words);
    const { code } = await daemon.run(["start", "--attach", backtestContainer], { output: "show", allowFailure: true });
    return code;
  },
);
