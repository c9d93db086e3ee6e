import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HELD_VARIABLE } from "../../../components/runtime/held.ts";
import type { Settings } from "../../../components/settings.ts";
import { releaseEngineLock } from "../engineLock.ts";
import { localMove } from "../lockPlace.ts";
import { StackFile } from "../stackFile.ts";
import { type Deployment, replaceState } from "../state.ts";
import { type Workspace, workspaceWith } from "../workspace.ts";
import type { MoveRecord, Place } from "./record.ts";
import { type Seen, Side } from "./side.ts";

/** What the steps of a move work with. */
export interface Move {
  readonly workspace: Workspace;
  readonly record: MoveRecord;
  /** The host that serves at the beginning, and the one that does at the end. */
  readonly from: Side;
  readonly to: Side;
  /** This run's, by which a stop is known to be its own. */
  readonly id: string;
  /** What only this run knows. */
  readonly seen: {
    /** When the old host's way in was closed (milliseconds since 1970). */
    stoppedAt?: number;
    /** The kill switch's directory of the old host, as the new one's NATS was started with it. */
    switch?: string;
    /** Shows the old host that the command lives. */
    beat?: NodeJS.Timeout;
  };
}

/** The files of a move on the hosts, beside its record. */
export const FILES = {
  /** The engine's state of that host. */
  state: "state.json",
  /** On the old host: the stack's state may be the new host's, which is being made. */
  swapped: "swapped",
  /** On the old host: the new one has the platform, stopped. */
  prepared: "prepared",
  /** On the old host: it never starts again, and the new one serves. */
  fenced: "fenced",
  /** On the new host: it has the kill switch as the old one had it. */
  switch: "switch",
  /** On the new host: everything was started. */
  released: "released",
  /** On the new host: the stack's state is its own. */
  stated: "stated",
  /** On the new host: nothing is left to do but to wipe the old one. */
  finished: "finished",
  /** On the new host: nothing of the stack is on the old one. */
  wiped: "wiped",
} as const;

/** A stack's file with another place of its host; comments stay. */
export function atPlace(path: string, place: Place): StackFile {
  const file = new StackFile(path, readFileSync(path, "utf8"));
  for (const [key, value] of Object.entries(place)) file.setPath(`host.${key}`, value);
  return file;
}

export const stackFileOf = ({ cwd, stack }: Pick<Workspace, "cwd" | "stack">): string =>
  join(cwd, `Pulumi.${stack}.yaml`);

/** The same stack on the new host, where an update makes everything and starts next to nothing. */
export function nextWorkspace({ workspace, record }: Pick<Move, "workspace" | "record">): Workspace {
  const config = atPlace(stackFileOf(workspace), record.to).toString();
  return workspaceWith(workspace, localMove(workspace.stack), config, { [HELD_VARIABLE]: "yes" });
}

/** @param settings the stack's, with a host */
export function makeMove(workspace: Workspace, settings: Settings, record: MoveRecord): Move {
  const { host } = settings;
  if (host === undefined) throw new Error("a move of a stack without a host");
  const at = (place: Place) => new Side(workspace.stack, settings, { ...host, ...place });
  return { workspace, record, from: at(record.from), to: at(record.to), id: randomUUID(), seen: {} };
}

/** The files of the move on both hosts. */
export interface Both {
  readonly from: Seen;
  readonly to: Seen;
}

const NOTHING: Seen = { files: new Set(), record: undefined };

/** The new host may be bare, until the old one says that it is not. */
export async function lookAtBoth({ from, to }: Pick<Move, "from" | "to">): Promise<Both> {
  const there = await from.look();
  return { from: there, to: there.files.has(FILES.prepared) ? await to.look() : NOTHING };
}

/** A state as the engine hands it out. */
export interface Exported {
  readonly deployment: Deployment;
}

/** The state that a host keeps. */
export async function stateOn(side: Side): Promise<Exported> {
  return JSON.parse(await side.read(FILES.state)) as Exported;
}

/** Makes a state the stack's, also where an engine was killed meanwhile. */
export async function putState(workspace: Workspace, state: Exported): Promise<void> {
  await releaseEngineLock(workspace);
  await replaceState(workspace, state);
}
