import { commandLine } from "../../../components/configCommand.ts";
import { executors } from "../../../components/platform/catalogue.ts";
import type { Manifest } from "../../../services/backup/src/manifest.ts";
import { confirm } from "../ask.ts";
import { Daemon } from "../daemon.ts";
import { killSwitch } from "../killSwitch.ts";
import { say, step, UserError } from "../log.ts";
import { PlatformSwitch, tellKillSwitch } from "../platformSwitch.ts";
import { restore } from "../restore/restore.ts";
import { settingsOf } from "../stackSettings.ts";
import { openWorkspace, outputs, stackExists } from "../workspace.ts";
import { type Compared, compared, comparisonLines, requireSame } from "./compare.ts";
import { OldHost } from "./host.ts";
import { planLines, planOf } from "./plan.ts";
import { composeContainers, projectOf } from "./project.ts";
import { makeSnapshot } from "./snapshot.ts";

export interface ImportDataArgs {
  readonly stack: string;
  /** A directory, or `ssh://USER@HOST/DIRECTORY`. */
  readonly from: string;
  readonly project: string | undefined;
  readonly owners: readonly string[];
  readonly dryRun: boolean;
  readonly unasked: boolean;
}

const list = (lines: readonly string[]) => lines.map((line) => `  - ${line}`).join("\n");

/** Brings the data of an old installation into a running stack, in place of what that has. The old one is only read. */
export async function importData({ stack, from, project, owners, dryRun, unasked }: ImportDataArgs): Promise<number> {
  const host = OldHost.of(from);
  const workspace = await openWorkspace(stack);
  if (!(await stackExists(workspace)))
    throw new UserError(`there is no stack ${stack}; bring it up first: ${commandLine(stack, "up")}`);
  const daemon = await Daemon.of(workspace);
  const plan = await step(`looking at ${host.name}`, "it is only read", () =>
    planOf({ host, daemon, project, owners }),
  );
  for (const line of planLines(plan)) process.stdout.write(`${line}\n`);
  if (plan.faults.length > 0) throw new UserError(`nothing was changed. To be fixed first:\n${list(plan.faults)}`);
  if (dryRun) {
    say("nothing was changed (--dry-run)");
    return 0;
  }
  if (!unasked && !(await confirm(`Replace all data of ${stack} by those of ${host.name}?`))) {
    say("nothing was changed (--yes does not ask)");
    return 1;
  }
  const live = (await outputs(workspace)).trading === "live";
  const platform = await PlatformSwitch.of(stack);
  const reason = `the data of an old installation are imported${plan.killSwitch === undefined ? "" : ", where the kill switch was on"}`;
  const detail = { reason, at: new Date().toISOString() };
  // Before anything else: nothing trades with real money on data that are half the old ones.
  if (live || plan.killSwitch !== undefined) {
    const { faults } = await platform.run("on", detail);
    if (faults.length > 0) throw new UserError(`the kill switch: ${faults.join("; ")}`);
  }
  if (plan.killSwitch !== undefined) await killSwitch(daemon, "on", detail);
  const { environment } = await settingsOf(workspace);
  const snapshot = await step("reading the old data into the stack's backups", "the stack is not changed yet", () =>
    makeSnapshot(daemon, host, plan, environment),
  ).catch((error: unknown) => {
    if (error instanceof UserError) throw new UserError(`${error.message}\nThe stack's data were not changed.`);
    throw error;
  });
  const container = await daemon.container("backup");
  const opened = await step("verifying them as a whole", "nothing is overwritten yet", () =>
    daemon.run(["exec", container, "node", "/app/backup.mjs", "open", snapshot.id], { allowFailure: true }),
  );
  if (opened.code !== 0) throw new UserError(`${opened.stderr.trim()}\nThe stack's data were not changed.`);
  const { id, manifest } = JSON.parse(opened.stdout) as { id: string; manifest: Manifest };
  const { faults } = projectOf(host, await composeContainers(host), { project: plan.project.name });
  if (faults.length > 0)
    throw new UserError(
      `the old installation was started meanwhile. The stack's data were not changed:\n${list(faults)}`,
    );
  const { on } = await platform.run("status");
  let rows: readonly Compared[] = [];
  await restore({
    source: { daemon, container, snapshot: id },
    manifest,
    into: daemon,
    held: live || on ? executors : [],
    without: [],
    verify: async () => {
      rows = await step("comparing every store with the old one", "as long as they are large", () =>
        compared(daemon, manifest, snapshot),
      );
      requireSame(rows);
    },
  });
  for (const line of comparisonLines(rows)) process.stdout.write(`${line}\n`);
  const strange = snapshot.streams.left.map(({ name, messages }) => `stream ${name}, ${messages} messages`);
  const left = [...plan.left.filter((line) => !line.startsWith("stream ")), ...strange, ...snapshot.left];
  process.stdout.write(
    `left behind: ${left.length === 0 ? "nothing" : ""}\n${left.map((line) => `  ${line}\n`).join("")}`,
  );
  say(
    `${stack} has the data of ${host.name}, which was only read. Never start its services again: both would trade. Next: docs/from-bash-installer.md`,
  );
  if (live || on)
    say(
      `${executors.join(" and ")} stay stopped: compare positions and open orders with the broker's, then release the kill switch`,
    );
  await tellKillSwitch(stack);
  return 0;
}
