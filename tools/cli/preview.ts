import { command, STACK } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { tellKillSwitch } from "../lib/platformSwitch.ts";
import { checkBefore } from "../lib/preflight.ts";
import { prepareImages } from "../lib/prepare.ts";
import { listed, removedByHand } from "../lib/removedByHand.ts";
import { readableSettings } from "../lib/stackSettings.ts";
import { seenUnchanged, tellUnchanged } from "../lib/unchanged.ts";
import { ensureLocalStack, openWorkspace, root } from "../lib/workspace.ts";

export const previewCommand = command(
  {
    about: "Shows what `up` would change, with the policies' verdict, and changes nothing.",
    options: {
      stack: STACK,
      diff: { type: "boolean", says: "show each changed property" },
      json: { type: "boolean", says: "for another program" },
    },
    changes: "nothing",
  },
  async ({ stack, diff, json }) => {
    const workspace = await openWorkspace(stack);
    if (workspace.local) await ensureLocalStack(workspace);
    await checkBefore(workspace);
    // The config of a stack that was never up does not say yet where its images come from.
    if (workspace.local && (await readableSettings(workspace))?.localImages.backup === undefined)
      await prepareImages(workspace);
    const seen = diff || json ? undefined : await seenUnchanged(workspace);
    const flags = [...(diff ? ["--diff"] : []), ...(json ? ["--json"] : [])];
    if (seen !== undefined) tellUnchanged(seen);
    const { code } =
      seen === undefined
        ? await workspace.pulumi(["preview", "--stack", stack, "--policy-pack", `${root}/policies`, ...flags], {
            output: "show",
            allowFailure: true,
          })
        : { code: 0 };
    const removed = await removedByHand(workspace);
    if (removed.length > 0)
      say(
        `not shown above: removed by hand, so \`up\` makes it again (a volume only with --new-volume): ${listed(removed)}`,
      );
    await tellKillSwitch(stack);
    if (code !== 0) throw new UserError(`pulumi preview failed (exit code ${code}); see the lines above`);
    return 0;
  },
);
