import { rmSync } from "node:fs";
import { commandLine } from "../../../components/configCommand.ts";
import type { Settings } from "../../../components/settings.ts";
import { localMove } from "../lockPlace.ts";
import { say, step, UserError } from "../log.ts";
import type { Workspace } from "../workspace.ts";
import { checkMove } from "./checks.ts";
import { FILES, lookAtBoth, type Move, makeMove } from "./context.ts";
import { mayGoOn, takeBack } from "./handOver.ts";
import { giveBackState } from "./prepare.ts";
import { type MoveRecord, type Place, placeOf } from "./record.ts";
import { Side } from "./side.ts";
import { type MoveStep, moveSteps } from "./steps.ts";

/** What the operator says of the new host. */
export interface NewPlace {
  readonly address: string;
  readonly hostKey: string | undefined;
  readonly user: string | undefined;
  readonly port: number | undefined;
}

/** A stack whose host the program sets up: no other can be moved. */
export interface Movable {
  readonly workspace: Workspace;
  readonly settings: Settings & { readonly host: NonNullable<Settings["host"]> };
}

/** The move that has begun, or a new one. */
export async function moveTo({ workspace, settings }: Movable, place: NewPlace): Promise<Move> {
  const { stack } = workspace;
  const { host } = settings;
  const present = await new Side(stack, settings, host).look();
  const { record } = present;
  if (host.address === place.address) {
    if (record?.to.address !== place.address) throw new UserError(`${place.address} is the host of ${stack} already`);
    return makeMove(workspace, settings, record);
  }
  // What is left on a host to which an earlier move led is that one's.
  if (record !== undefined && record.from.address === host.address) {
    if (record.to.address !== place.address)
      throw new UserError(
        `${stack} is being moved to ${record.to.address}: end that (${commandLine(stack, `move --to ${record.to.address}`)}), or take it back (${commandLine(stack, "move --back")})`,
      );
    return makeMove(workspace, settings, record);
  }
  if (record !== undefined && record.to.address === host.address && !present.files.has(FILES.wiped))
    throw new UserError(
      `the former host of ${stack}, ${record.from.address}, still has its data: ${commandLine(stack, `move --wipe ${record.from.address}`)} first`,
    );
  const to = newPlace(settings, stack, place);
  await step(`looking at ${place.address}`, "seconds; it is waited for while it boots", () =>
    checkMove(workspace, settings, to),
  );
  const since = new Date().toISOString();
  return makeMove(workspace, settings, { from: placeOf(host), to, since });
}

function newPlace({ host }: Movable["settings"], stack: string, { address, hostKey, user, port }: NewPlace): Place {
  if (hostKey === undefined)
    throw new UserError(
      `the new host's key is missing. Read it at its own console (cat /etc/ssh/ssh_host_ed25519_key.pub), and give its first two words: ${commandLine(stack, `move --to ${address} --host-key 'ssh-ed25519 ...'`)}`,
    );
  return {
    address,
    port: host.port,
    firstPort: port ?? 22,
    user: user ?? host.user,
    hostKey: hostKey.split(" ").slice(0, 2).join(" "),
  };
}

/** Runs what is left of a move. */
export async function runMove(move: Move, steps: readonly MoveStep[] = moveSteps): Promise<void> {
  for (const each of steps) {
    // What is done shows on the hosts; and every step looks again, since another one may have been the last.
    if (each.isDone(await lookAtBoth(move), move)) continue;
    mayGoOn(move);
    try {
      await step(each.says, each.takes, () => each.run(move));
    } catch (error) {
      if (each.isStopped === true) await takeBack(move);
      throw error;
    }
  }
}

/** Ends a move that has not come to the switch: the old host stays the one that serves, and the new one is emptied. */
export async function backFrom({ workspace, settings }: Movable): Promise<MoveRecord> {
  const { stack } = workspace;
  const from = new Side(stack, settings, settings.host);
  const { files, record } = await from.look();
  if (record === undefined || record.from.address !== settings.host.address)
    throw new UserError(`no move of ${stack} has begun on ${settings.host.address}`);
  if (files.has(FILES.fenced))
    throw new UserError(
      `${record.to.address} serves by now. End the move (${commandLine(stack, `move --to ${record.to.address}`)}), then move back as to any other host`,
    );
  const move = makeMove(workspace, settings, record);
  if (files.has(FILES.swapped)) await giveBackState(move);
  await from.run("resume");
  const emptied = await move.to.run("wipe").then(
    (what) => what.trim(),
    () => undefined,
  );
  say(
    emptied === undefined
      ? `${record.to.address} could not be reached as deployer: if the stack's containers are there, remove them by hand`
      : `${record.to.address}: removed ${emptied}`,
  );
  if (emptied !== undefined) for (const name of ["record", FILES.state]) await move.to.run("forget", { NAME: name });
  for (const name of [FILES.prepared, FILES.state, "counts", "record"]) await from.run("forget", { NAME: name });
  rmSync(localMove(stack), { recursive: true, force: true });
  return record;
}
