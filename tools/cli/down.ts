import { commandLine } from "../../components/configCommand.ts";
import { stopDocker } from "../bootstrap/docker/docker.ts";
import { command, STACK } from "../lib/command.ts";
import { repairInterrupted } from "../lib/interrupted.ts";
import { say, UserError } from "../lib/log.ts";
import { forget, removedByHand } from "../lib/removedByHand.ts";
import { forgetLocalStack, openWorkspace, stackExists } from "../lib/workspace.ts";

export const downCommand = command(
  {
    about: "Removes everything that `up` made for a stack on this machine, its data included, and nothing else.",
    options: {
      stack: STACK,
      all: { type: "boolean", says: "also stop the Docker daemon, if `up` started it" },
    },
    changes: ({ stack }) => stack,
  },
  async ({ stack, all }) => {
    const workspace = await openWorkspace(stack);
    if (!workspace.local) {
      throw new UserError(
        `${stack} is no stack of this machine; to destroy it: ${commandLine(stack, "pulumi destroy")}`,
      );
    }
    if (await stackExists(workspace)) {
      const state = await repairInterrupted(workspace);
      // Before it, and not only when it fails: what is removed first would be an error among many.
      const gone = await removedByHand(workspace, state);
      await forget(workspace, gone);
      if (gone.length > 0) say(`${gone.length} containers, networks or volumes had been removed by hand`);
      const { code } = await workspace.pulumi(["destroy", "--stack", stack, "--yes", "--suppress-outputs"], {
        output: "show",
        allowFailure: true,
      });
      if (code !== 0)
        throw new UserError(`pulumi destroy failed (exit code ${code}); see the lines above, then run this again`);
      await forgetLocalStack(workspace);
      say(`stack ${stack} is gone`);
    } else {
      say(`there is no stack ${stack}: nothing to do`);
    }
    if (all && (await stopDocker())) say("the Docker daemon is stopped");
    return 0;
  },
);
