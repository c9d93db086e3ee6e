import { executors } from "../../../components/platform/catalogue.ts";
import { killSwitchText } from "../../../components/platform/killSwitch.ts";
import { heldLock } from "../held.ts";
import { say, UserError } from "../log.ts";
import { FILES, type Move, stateOn } from "./context.ts";
import { copyVolumes, differences, sumsOf, type VolumePair } from "./copy.ts";
import { lost, readCounts, told } from "./counts.ts";
import { LEASE_S } from "./side.ts";
import { volumePairs } from "./state.ts";

/** How often the old host is shown that the command lives. */
const BEAT_MS = 20_000;
/** A pass of the copy that takes no longer leaves little for the stop. */
const SHORT_MS = 15_000;
/** Passes at most: a host that writes faster than the network carries is not caught up with. */
const PASSES = 4;
const STORES = ["postgres", "redis", "nats"];
const STORES_WITHIN_S = 300;

async function pairsOf({ from, to }: Move): Promise<readonly VolumePair[]> {
  const [former, next] = await Promise.all([stateOn(from), stateOn(to)]);
  return volumePairs(former.deployment, next.deployment).pairs;
}

/** Copies until what is left is little, and has both hosts read every file once, so that the stop reads only what changed since. */
export async function follow(move: Move): Promise<void> {
  const { from, to } = move;
  // An interrupted run may have started the stores there.
  await to.run("stop-all");
  const pairs = await pairsOf(move);
  for (let pass = 1; pass <= PASSES; pass++) {
    const began = Date.now();
    await copyVolumes(pairs, from, to, false);
    const took = Date.now() - began;
    say(`    pass ${pass} of the copy: ${Math.round(took / 1000)} s`);
    if (pass === 1) await sumsOf(pairs, from, to);
    else if (took < SHORT_MS) break;
    mayGoOn(move);
  }
}

/** @throws UserError when the operator wants the command to end, or the stack's lock was lost */
export function mayGoOn({ workspace }: Pick<Move, "workspace">): void {
  const stopped = heldLock(workspace.stack)?.stop;
  if (stopped !== undefined) throw new UserError(stopped);
}

/** Stops what writes on the old host, and counts what its stores hold then; last the stores. */
export async function stop(move: Move): Promise<void> {
  const { from, seen } = move;
  seen.stoppedAt = Date.now();
  seen.beat = setInterval(() => void from.run("beat").catch(() => undefined), BEAT_MS);
  seen.beat.unref();
  const ran = (await from.run("stop", { ID: move.id })).trim().split("\n");
  const traders = executors.filter((name) => ran.includes(name));
  say(
    `    ${ran.length} workloads are stopped, ${traders.length === 0 ? "no executor ran" : `${traders.join(" and ")} among them`}`,
  );
  const counts = await from.run("counts");
  say(`    the old host: ${told(readCounts(counts))}`);
  await from.write("counts", counts);
  await from.run("stop-all");
}

export async function copyLast(move: Move): Promise<void> {
  await copyVolumes(await pairsOf(move), move.from, move.to, true);
}

/** @throws UserError when a file is not the same on both hosts */
export async function checkFiles(move: Move): Promise<void> {
  const sums = await sumsOf(await pairsOf(move), move.from, move.to);
  const found = differences(sums);
  if (found.length > 0) throw new UserError(`the copy differs:\n  ${found.join("\n  ")}`);
  const all = [...sums.values()].flatMap(([, sum]) => sum ?? []);
  const files = all.reduce((total, sum) => total + sum.files, 0);
  const bytes = all.reduce((total, sum) => total + sum.bytes, 0);
  say(`    ${files} files with ${(bytes / 2 ** 20).toFixed(0)} MiB in ${all.length} volumes: the same on both hosts`);
}

/** @throws UserError when a store holds less than it did */
export async function checkCounts(move: Move): Promise<void> {
  const { from, to, seen } = move;
  // NATS takes its users by the kill switch when it starts.
  seen.switch = (await from.run("switch")).trim();
  await to.run("set-switch", { CONTENT: seen.switch });
  await to.run("start-stores");
  await to.healthy(STORES, STORES_WITHIN_S);
  const [before, after] = await Promise.all([from.read("counts"), to.run("counts")]);
  const found = lost(readCounts(before), readCounts(after));
  if (found.length > 0) throw new UserError(`the new host's stores hold something else:\n  ${found.join("\n  ")}`);
  say(`    the new host: ${told(readCounts(after))}`);
}

/** The former host's kill switch, as the command hands it over. */
export function formerSwitch({ to }: Move): string {
  const text = killSwitchText({ reason: `the stack has moved to ${to.address}`, at: new Date().toISOString() });
  return Buffer.from(text).toString("base64");
}

/** From here on the old host serves no more, and the new one does. */
export async function fence(move: Move): Promise<void> {
  mayGoOn(move);
  await move.from.run("fence", { ID: move.id, CONTENT: formerSwitch(move) });
  endBeat(move);
}

function endBeat({ seen }: Move): void {
  clearInterval(seen.beat);
}

/** A fault while the old host was stopped: it serves again. */
export async function takeBack(move: Move): Promise<void> {
  const { from, to } = move;
  endBeat(move);
  try {
    if ((await from.look()).files.has(FILES.fenced)) return;
    await to.run("stop-all").catch(() => undefined);
    await from.run("resume");
    say(`${from.address} is started again: it serves as before`);
  } catch {
    say(`${from.address} could not be told to start again: it does so by itself within ${LEASE_S} s`);
  }
}
