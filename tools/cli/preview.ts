import { command } from "../lib/command.ts";
import { UserError } from "../lib/log.ts";
import { tellKillSwitch } from "../lib/platformSwitch.ts";
import { checkBefore } from "../lib/preflight.ts";
import { ensureLocalStack, openWorkspace, root } from "../lib/workspace.ts";

const HELP = `usage: npm run preview -- [--stack NAME] [--diff] [--json]

Shows what \`up\` would change, with the policies' verdict, and changes nothing.

  --stack NAME   another stack than "local"
  --diff         show each changed property
  --json         for another program`;

await command(
  {
    help: HELP,
    options: { stack: { type: "string", default: "local" }, diff: { type: "boolean" }, json: { type: "boolean" } },
    changes: "nothing",
  },
  async ({ stack, diff, json }) => {
    const workspace = await openWorkspace(stack);
    if (workspace.local) await ensureLocalStack(workspace);
    await checkBefore(workspace);
    const flags = [...(diff ? ["--diff"] : []), ...(json ? ["--json"] : [])];
    const { code } = await workspace.pulumi(
      ["preview", "--stack", stack, "--policy-pack", `${root}/policies`, ...flags],
      {
        output: "show",
        allowFailure: true,
      },
    );
    await tellKillSwitch(stack);
    if (code !== 0) throw new UserError(`pulumi preview failed (exit code ${code}); see the lines above`);
    return 0;
  },
);
