import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_DOMAIN } from "../../components/settings.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, USAGE, YES } from "../lib/command.ts";
import { deployments, type Update } from "../lib/history.ts";
import { say, UserError } from "../lib/log.ts";
import { run } from "../lib/run.ts";
import { settingsOf } from "../lib/stackSettings.ts";
import { openWorkspace, outputs, root, stackExists, type Workspace } from "../lib/workspace.ts";

/** A new certificate and the last container of a rolling deployment may take a moment. */
const SMOKE_TRIES = 6;
const SMOKE_PAUSE_MS = 10_000;

/** Runs one of the project's commands as a user would. */
async function autollm(...words: readonly string[]): Promise<boolean> {
  say(`--- ./autollm ${words.join(" ")}`);
  return (await run(join(root, "autollm"), words, { output: "show", allowFailure: true })).code === 0;
}

async function ranBefore({ pulumi, stack }: Workspace): Promise<boolean> {
  const { stdout } = await pulumi(["stack", "history", "--stack", stack, "--json"]);
  return deployments(JSON.parse(stdout) as Update[]).length > 0;
}

async function smokePasses(workspace: Workspace): Promise<boolean> {
  const { url } = await outputs(workspace);
  if (typeof url !== "string") throw new UserError("the stack has no output `url`");
  const { application, domain } = await settingsOf(workspace);
  // Its certificate is Caddy's own.
  const insecure = domain === DEFAULT_DOMAIN ? ["--insecure"] : [];
  for (let attempt = 1; ; attempt++) {
    if (await autollm("smoke", url, "--application", application, ...insecure)) return true;
    if (attempt === SMOKE_TRIES) return false;
    await sleep(SMOKE_PAUSE_MS);
  }
}

export const deployCommand = command(
  {
    usage: "--stack NAME",
    about: `Does what the deployment workflows do: a backup, then up, then smoke tests. If one of the last two fails, it rolls back to the
images of the last good deployment. It posts the result to Slack (SLACK_WEBHOOK_URL). Ends with 1 if the deployment failed, rolled back or not.`,
    options: {
      stack: { type: "string", value: "NAME", says: "the stack" },
      "no-backup": {
        type: "boolean",
        says: "make no backup first; a stack that has never been up has nothing to save, and needs no such flag",
      },
      yes: YES,
    },
    changes: ({ stack }) => stack,
  },
  async ({ stack, "no-backup": noBackup, yes }) => {
    if (stack === undefined) throw new UserError("name the stack: --stack NAME", USAGE);
    const workspace = await openWorkspace(stack);
    if (!unasked(yes) && !(await confirm(`Deploy to ${stack} now?`))) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    const before = (await stackExists(workspace)) && (await ranBefore(workspace));
    if (before && noBackup !== true) {
      if (!(await autollm("backup", "--stack", stack))) {
        await autollm("notify", `${stack}: NOT deployed, since the backup failed. Nothing was changed.`);
        return 1;
      }
    }
    if ((await autollm("up", "--stack", stack, "--yes")) && (await smokePasses(workspace))) {
      await autollm("notify", `${stack}: deployed, smoke tests passed.`);
      return 0;
    }
    const back = before && (await autollm("rollback", "--stack", stack, "--yes")) && (await smokePasses(workspace));
    await autollm(
      "notify",
      back
        ? `${stack}: the deployment FAILED; the images of the last good one run again, and their smoke tests pass.`
        : `${stack}: the deployment FAILED and could not be rolled back: it needs a human now.`,
    );
    return 1;
  },
);
