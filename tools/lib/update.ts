import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine } from "../../components/configCommand.ts";
import { Daemon } from "./daemon.ts";
import { heldLock } from "./held.ts";
import { deployedBy } from "./history.ts";
import { repairInterrupted } from "./interrupted.ts";
import { say, step, UserError } from "./log.ts";
import { ensureNetworkRange } from "./networkRange.ts";
import { holdKillSwitch } from "./platformSwitch.ts";
import { checkBefore } from "./preflight.ts";
import { bringBack } from "./removedByHand.ts";
import { myself } from "./stackLock.ts";
import { tellStarts } from "./tellStarts.ts";
import {
  changesNothing,
  forgetUpdated,
  noteUpdated,
  sameAsUpdated,
  seenUnchanged,
  tellUnchanged,
} from "./unchanged.ts";
import { showUnhealthy } from "./unhealthy.ts";
import { root, type Workspace } from "./workspace.ts";

/**
 * Brings a stack to what its config says. The engine is not asked where it has found nothing to do for the same program, config and
 * state within a day.
 * @param unasked whether the engine asks nobody. The preview, by which the policies judge before anything changes, is then a run of
 * its own: if it shows that nothing changes, there is no update
 * @param again the command that repeats it, as a fault names it
 * @throws UserError when it failed
 */
export async function update(workspace: Workspace, unasked: boolean, again = "up"): Promise<void> {
  const { stack, local } = workspace;
  // Before all that looks at a state which may be another host's for now.
  const refused = heldLock(stack)?.refuses;
  if (refused !== undefined) throw new UserError(refused);
  // A stack that an earlier version made has none yet.
  if (local) await ensureNetworkRange(workspace);
  await checkBefore(workspace);
  await bringBack(workspace, await repairInterrupted(workspace));
  const seen = await seenUnchanged(workspace);
  if (seen !== undefined) {
    tellUnchanged(seen);
    return holdKillSwitch(stack);
  }
  const previewed = unasked ? await preview(workspace) : undefined;
  if (previewed?.unchanged === true) return holdKillSwitch(stack);
  const failed = previewed !== undefined && previewed.code !== 0;
  const code = failed ? previewed.code : await bringUp(workspace, unasked ? ["--skip-preview", "--yes"] : []);
  if (code === 0) return;
  if (local) await showUnhealthy(stack);
  say("");
  throw new UserError(
    `pulumi ${failed ? "preview" : "up"} failed (exit code ${code}); see the lines above. ${failed ? "Nothing was changed" : "Nothing is lost"}: fix it and run: ${commandLine(stack, again)}`,
  );
}

const argsOf = (command: string, { stack }: Workspace) => [
  ...[command, "--stack", stack],
  ...["--policy-pack", `${root}/policies`, "--suppress-outputs"],
];

/** The engine's exit code, and whether there is nothing that an update would do. */
interface Previewed {
  readonly code: number;
  readonly unchanged: boolean;
}

async function preview(workspace: Workspace): Promise<Previewed> {
  const folder = mkdtempSync(join(tmpdir(), "autollm-preview-"));
  const log = join(folder, "events");
  try {
    const { code } = await step(`pulumi preview, stack ${workspace.stack}`, "seconds", () =>
      workspace.pulumi([...argsOf("preview", workspace), "--event-log", log], {
        // The option is one of those that Pulumi takes with this setting alone.
        env: { PULUMI_DEBUG_COMMANDS: "true" },
        output: "show",
        allowFailure: true,
      }),
    );
    const same = code === 0 && existsSync(log) && changesNothing(readFileSync(log, "utf8"));
    const unchanged = same && (await sameAsUpdated(workspace));
    if (unchanged) {
      say("nothing changes, so nothing is updated");
      await noteUpdated(workspace);
    }
    return { code, unchanged };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Answers the engine's exit code.
 * @throws UserError when the update failed by a cause outside the project, or the kill switch could not be asked after one that did not
 */
async function bringUp(workspace: Workspace, flags: readonly string[]): Promise<number> {
  forgetUpdated(workspace);
  const updating = runUp(workspace, flags);
  // A failed one may have started an executor as well; what failed it is the news, though.
  const succeeded = await updating.then(
    (code) => code === 0,
    () => false,
  );
  const held = holdKillSwitch(workspace.stack);
  await (succeeded
    ? held
    : held.catch((error: unknown) => say(error instanceof Error ? error.message : String(error))));
  if (succeeded) await noteUpdated(workspace);
  return updating;
}

async function runUp(workspace: Workspace, flags: readonly string[]): Promise<number> {
  const { code } = await step(
    `pulumi up, stack ${workspace.stack}`,
    "about a minute the first time; it waits for every container to be healthy",
    () =>
      tellStarts(
        () => Daemon.of(workspace),
        () =>
          workspace.pulumi([...argsOf("up", workspace), ...flags, "--message", deployedBy(myself())], {
            output: "show",
            allowFailure: true,
          }),
      ),
  );
  return code;
}
