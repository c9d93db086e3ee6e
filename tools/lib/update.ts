import { Daemon } from "./daemon.ts";
import { mendInterrupted } from "./interrupted.ts";
import { say, step, UserError } from "./log.ts";
import { ensureNetworkRange } from "./networkRange.ts";
import { holdKillSwitch } from "./platformSwitch.ts";
import { checkDaemon } from "./preflight.ts";
import { tellStarts } from "./tellStarts.ts";
import { showUnhealthy } from "./unhealthy.ts";
import { root, type Workspace } from "./workspace.ts";

/**
 * Brings a stack to what its config says.
 * @param unasked whether the engine asks nobody
 * @throws UserError when it failed
 */
export async function update(workspace: Workspace, unasked: boolean): Promise<void> {
  const { stack, local } = workspace;
  // A stack that an earlier version made has none yet.
  if (local) await ensureNetworkRange(workspace);
  await checkDaemon(workspace);
  await mendInterrupted(workspace);
  const args = ["up", "--stack", stack, "--policy-pack", `${root}/policies`, "--suppress-outputs"];
  const { code } = await step(
    `pulumi up, stack ${stack}`,
    "about a minute the first time; it waits for every container to be healthy",
    () =>
      tellStarts(
        () => Daemon.of(workspace),
        () => workspace.pulumi([...args, ...(unasked ? ["--yes"] : [])], { output: "show", allowFailure: true }),
      ),
  );
  // A failed one may have started an executor as well; what failed it is the news, though.
  const held = holdKillSwitch(stack);
  if (code === 0) return held;
  await held.catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  if (local) await showUnhealthy(stack);
  say("");
  throw new UserError(
    `pulumi up failed (exit code ${code}); see the lines above. Nothing is lost: mend it and run: npm run up${stack === "local" ? "" : ` -- --stack ${stack}`}`,
  );
}
