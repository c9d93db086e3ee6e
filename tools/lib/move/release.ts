import { rmSync } from "node:fs";
import { executors, serviceNames } from "../../../components/platform/catalogue.ts";
import { localMove } from "../lockPlace.ts";
import { say } from "../log.ts";
import { PlatformSwitch } from "../platformSwitch.ts";
import { update } from "../update.ts";
import { atPlace, FILES, type Move, putState, stackFileOf, stateOn } from "./context.ts";
import { formerSwitch } from "./handOver.ts";

const HEALTHY_WITHIN_S = 600;
/** What a client needs besides the services: then the stop is over. */
const EDGE = ["caddy", "edge-sockets", "edge-limiter"];

/** Before anything starts there: `kill-switch on` finds the host that trades by this file. */
export async function nameNewHost(move: Move): Promise<void> {
  const { workspace, record } = move;
  atPlace(stackFileOf(workspace), record.to).save();
}

/** Starts on the new host what ran on the old one. */
export async function release(move: Move): Promise<void> {
  const { from, to, seen, workspace } = move;
  if (!(await to.look()).files.has(FILES.switch)) {
    // Somebody may have set it since NATS was started.
    const present = (await from.run("switch")).trim();
    await to.run("set-switch", { CONTENT: present, ...(present === seen.switch ? {} : { NAME: "reload" }) });
    await to.write(FILES.switch, "");
  }
  // Again, since a command may have ended in the middle of it.
  await from.run("seal", { CONTENT: formerSwitch(move) });
  const ran = (await from.read(FILES.fenced)).trim().split("\n");
  await to.run("start", { SERVICES: ran.join(" ") });
  const traders = ran.filter((name) => executors.some((executor) => executor === name));
  const others = ran.filter((name) => !traders.includes(name));
  const needed = others.filter((name) => EDGE.includes(name) || serviceNames.some((service) => service === name));
  const { on } = await (await PlatformSwitch.of(workspace.stack)).run("hold");
  await to.healthy(on ? needed : [...needed, ...traders], HEALTHY_WITHIN_S);
  const stopped = seen.stoppedAt === undefined ? undefined : Math.round((Date.now() - seen.stoppedAt) / 1000);
  if (stopped !== undefined) say(`    the stop took ${stopped} s, from the old host's way in to the new host's health`);
  await to.healthy(others, HEALTHY_WITHIN_S);
  await to.write(FILES.released, JSON.stringify({ stopSeconds: stopped ?? null }));
}

export async function takeState({ to, workspace }: Move): Promise<void> {
  await putState(workspace, await stateOn(to));
  await to.write(FILES.stated, "");
}

export async function finish({ to, workspace }: Move): Promise<void> {
  await update(workspace, true, `move --to ${to.address}`);
  await to.write(FILES.finished, new Date().toISOString());
  rmSync(localMove(workspace.stack), { recursive: true, force: true });
}
