import { join } from "node:path";
import { confirm, unasked } from "../lib/ask.ts";
import { command, DIFFERS, YES } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { changeTable, releaseChanges } from "../lib/release.ts";
import { StackFile } from "../lib/stackFile.ts";
import { root } from "../lib/workspace.ts";

export const promoteCommand = command(
  {
    about: `Copies the image digests of staging's config into production's: the same images that staging ran, never a rebuild.
It only changes Pulumi.production.yaml, deploys nothing, and asks unless --yes is given or CI is set.`,
    differs: "--dry-run finds something to change",
    options: {
      yes: YES,
      "dry-run": { type: "boolean", says: "only show what would change" },
      json: { type: "boolean", says: 'with --dry-run: print [{"service", "from", "to"}]' },
    },
    changes: "nothing",
  },
  async ({ yes, "dry-run": dryRun, json }) => {
    const staging = new StackFile(join(root, "Pulumi.staging.yaml"));
    const production = new StackFile(join(root, "Pulumi.production.yaml"));
    const images = staging.images();
    if (Object.keys(staging.release()).length === 0)
      throw new UserError("staging's config names no image (`release`): there is nothing to promote");
    const changes = releaseChanges(production.images(), images);
    if (dryRun && json) {
      process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
      return changes.length === 0 ? 0 : DIFFERS;
    }
    if (changes.length === 0) {
      say("production has staging's release already");
      return 0;
    }
    process.stdout.write(`${changeTable(changes)}\n`);
    if (dryRun) return DIFFERS;
    if (
      !unasked(yes) &&
      !(await confirm(
        `Write ${changes.length === 1 ? "this" : `these ${changes.length}`} into Pulumi.production.yaml?`,
      ))
    ) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    production.setImages(images);
    production.save();
    say(
      "Pulumi.production.yaml is written; commit it, have it reviewed, and deploy: ./autollm deploy --stack production",
    );
    return 0;
  },
);
