import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "../../../components/configCommand.ts";
import { localMove } from "../lockPlace.ts";
import { say, UserError } from "../log.ts";
import { deploymentOf, exported } from "../state.ts";
import { update } from "../update.ts";
import { writePrivate } from "../workspace.ts";
import { FILES, type Move, nextWorkspace, putState, stateOn } from "./context.ts";
import { asStarted, sharesHost, volumePairs, withoutHost } from "./state.ts";

export async function keepRecord({ from, record, workspace }: Move): Promise<void> {
  const text = JSON.stringify(record);
  // Here for a stack whose lock is here, so that other commands know of the move.
  const folder = localMove(workspace.stack);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writePrivate(join(folder, "record"), text);
  // What an earlier move left there is that one's.
  await from.run("clear");
  await from.write("record", text);
}

/** The state comes back from there whatever becomes of this machine. Its secrets are encrypted, as everywhere. */
export async function keepState({ from, workspace }: Move): Promise<void> {
  await from.write(FILES.state, JSON.stringify(await exported(workspace)));
}

/**
 * Makes the platform on the new host by the update that makes any. The stack's state is the new host's meanwhile: what lives on no
 * host stays in it, so that every credential keeps its value. Then it is the old host's again.
 */
export async function makePlatform(move: Move): Promise<void> {
  const { from, to, workspace } = move;
  const former = await stateOn(from);
  await from.write(FILES.swapped, "");
  // After an interruption it may be either's.
  if (sharesHost(await deploymentOf(workspace), former.deployment))
    await putState(workspace, { ...former, deployment: withoutHost(former.deployment) });
  const next = nextWorkspace(move);
  await update(next, true, `move --to ${to.address}`);
  const made = await exported(workspace);
  const { missing } = volumePairs(former.deployment, made.deployment);
  if (missing.length > 0)
    throw new UserError(
      `the config declares no volume ${missing.join(", ")} any more, and the old host has it. Take the move back (${commandLine(workspace.stack, "move --back")}), then ${commandLine(workspace.stack, "up")}, and begin again`,
    );
  await to.run("stop-all");
  await to.run("tools");
  await from.run("tools");
  await to.run("clear");
  await to.write("record", JSON.stringify(move.record));
  await to.write(FILES.state, JSON.stringify({ ...made, deployment: asStarted(made.deployment, former.deployment) }));
  await giveBackState(move);
  await from.write(FILES.prepared, "");
  say(
    `${to.address} has the platform. Nothing runs there: only the stores and Grafana were started, empty, and are stopped.`,
  );
}

/** The stack's state is the old host's again. */
export async function giveBackState({ from, workspace }: Move): Promise<void> {
  const former = await stateOn(from);
  if (!sharesHost(await deploymentOf(workspace), former.deployment)) await putState(workspace, former);
  await from.run("forget", { NAME: FILES.swapped });
}
