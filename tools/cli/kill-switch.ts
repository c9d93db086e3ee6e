import { userInfo } from "node:os";
import { confirm, unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { type KillSwitchAction, killSwitch } from "../lib/killSwitch.ts";
import { say, UserError } from "../lib/log.ts";
import { openWorkspace } from "../lib/workspace.ts";

const HELP = `usage: npm run kill-switch -- on | off | status [--stack NAME] [--reason TEXT] [--yes]

Stops all order execution, or allows it again. The switch is a file in the volume of risk-manager: restarts, deploys and a new
host's boot leave it as it is, and only "off" releases it. "on" asks nothing. "status" ends with 2 where the switch is set.

  --reason TEXT   why; it is kept with the switch and shown by "status"
  --stack NAME    another stack than "local"
  --yes           "off" does not ask (always so when CI is set)`;

/** Exit code of "status" where the switch is set. */
const IS_SET = 2;

const isAction = (word: string | undefined): word is KillSwitchAction =>
  word === "on" || word === "off" || word === "status";

await command(
  {
    help: HELP,
    positionals: true,
    options: {
      stack: { type: "string", default: "local" },
      reason: { type: "string", default: "not said" },
      yes: { type: "boolean" },
    },
    changes: "nothing",
  },
  async ({ stack, reason, yes }, [action, ...rest]) => {
    if (!isAction(action) || rest.length > 0) throw new UserError(`say on, off or status\n\n${HELP}`, USAGE);
    const daemon = await Daemon.of(await openWorkspace(stack));
    if (action === "status") {
      const detail = await killSwitch(daemon, "status");
      process.stdout.write(detail === "" ? "not set: orders are executed\n" : `SET: no order is executed\n${detail}\n`);
      return detail === "" ? 0 : IS_SET;
    }
    if (action === "off" && !unasked(yes) && !(await confirm(`Allow orders on ${stack} again?`))) {
      say("nothing was changed");
      return 1;
    }
    const detail = await killSwitch(daemon, action, {
      reason,
      by: userInfo().username,
      at: new Date().toISOString(),
    });
    say(action === "on" ? `set: no order is executed\n${detail}` : "released: orders are executed again");
    return 0;
  },
);
