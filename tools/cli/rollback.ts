import { join } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, DIFFERS, STACK, USAGE, YES } from "../lib/command.ts";
import { deployments, previousRelease, type Update } from "../lib/history.ts";
import { say, UserError } from "../lib/log.ts";
import { changeTable, releaseChanges } from "../lib/release.ts";
import { run } from "../lib/run.ts";
import { StackFile } from "../lib/stackFile.ts";
import { update } from "../lib/update.ts";
import { openWorkspace, root, stackExists } from "../lib/workspace.ts";

/** A time as the history writes it, or the beginning of one that names at least the day. */
function checkTime(text: string | undefined): void {
  if (text !== undefined && !/^\d{4}-\d\d-\d\d(T[\d:.Z]*)?$/.test(text))
    throw new UserError(`--to wants a time such as 2026-01-31T09:25, not "${text}"`, USAGE);
}

/** The commit that is checked out, or undefined outside git. */
async function head(): Promise<string | undefined> {
  const { code, stdout } = await run("git", ["rev-parse", "HEAD"], { cwd: root, allowFailure: true });
  return code === 0 ? stdout.trim() : undefined;
}

export const rollbackCommand = command(
  {
    about: `Goes back to the images of the last good deployment that had other images, according to the stack's own history,
and brings the stack up. Config other than \`release\`, data and generations of credentials stay as they are.
If the fault is in the program itself, revert it in git: the command names the commit that ran then.`,
    differs: "--dry-run finds something to change",
    options: {
      stack: STACK,
      to: {
        type: "string",
        value: "TIME",
        says: "the images of the deployment that began then, such as 2026-01-31T09:25",
      },
      list: { type: "boolean", says: "only list the good deployments, newest first" },
      yes: YES,
      "dry-run": { type: "boolean", says: "only show what would change" },
      json: { type: "boolean", says: 'with --list: print [{"time", "commit", "release"}]' },
    },
    changes: ({ stack, list, "dry-run": dryRun }) => (list || dryRun ? undefined : stack),
  },
  async ({ stack, to, list, yes, "dry-run": dryRun, json }) => {
    checkTime(to);
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace))) throw new UserError(`there is no stack ${stack}`);
    const { stdout } = await workspace.pulumi(["stack", "history", "--stack", stack, "--json"]);
    const history = JSON.parse(stdout) as Update[];
    if (list && json) {
      process.stdout.write(`${JSON.stringify(deployments(history), null, 2)}\n`);
      return 0;
    }
    if (list) {
      for (const { time, commit, release } of deployments(history))
        process.stdout.write(`${time}  ${Object.keys(release).length} images  ${commit ?? ""}`.trimEnd().concat("\n"));
      return 0;
    }
    const file = new StackFile(join(workspace.cwd, `Pulumi.${stack}.yaml`));
    const current = file.release();
    const target = previousRelease(history, current, to);
    if (target === undefined) {
      throw new UserError(
        to === undefined
          ? `no good deployment of ${stack} had other images than its config names now: there is nothing to go back to.\n` +
              `If the program is at fault, revert the commit and run: ${commandLine(stack, "up")}`
          : `no good deployment of ${stack} began at ${to}; --list shows them`,
      );
    }
    const changes = releaseChanges(current, target.release);
    say(`the deployment of ${target.time}${target.commit === undefined ? "" : `, commit ${target.commit}`}`);
    if (target.commit !== undefined && target.commit !== (await head()))
      say("the program was another then; this changes the images only");
    if (changes.length === 0) {
      say("the images are the same");
      return 0;
    }
    process.stdout.write(`${changeTable(changes)}\n`);
    if (dryRun) return DIFFERS;
    if (!unasked(yes) && !(await confirm(`Roll ${stack} back now?`))) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    file.setRelease(target.release);
    file.save();
    await update(workspace, true);
    say(
      `${stack} runs the images of ${target.time} again${workspace.local ? "" : `; commit Pulumi.${stack}.yaml, so that the next deployment keeps them`}`,
    );
    return 0;
  },
);
