import type { Both, Move } from "./context.ts";
import { FILES } from "./context.ts";
import { checkCounts, checkFiles, copyLast, fence, follow, stop } from "./handOver.ts";
import { keepRecord, keepState, makePlatform } from "./prepare.ts";
import { finish, nameNewHost, release, takeState } from "./release.ts";

/** One step of a move. */
export interface MoveStep {
  /** As the commands and the tests name it. */
  readonly name: string;
  /** What it does, in a line. */
  readonly says: string;
  /** How long that is. */
  readonly takes: string;
  /** Whether the hosts show that it needs not be done (again). */
  readonly isDone: (both: Both, move: Pick<Move, "record">) => boolean;
  /** Whether the old host is stopped meanwhile: a fault has it start again. */
  readonly isStopped?: boolean;
  readonly run: (move: Move) => Promise<void>;
}

const fenced = ({ from }: Both) => from.files.has(FILES.fenced);
const onNew =
  (file: string) =>
  ({ to }: Both) =>
    to.files.has(file);

/**
 * A move, in order. Each step may be run again from any state that an interruption left. Until `fence` the old host serves, or starts
 * again by itself; from then on it is the new one that does.
 */
export const moveSteps: readonly MoveStep[] = [
  {
    name: "record",
    says: "noting the move on the old host",
    takes: "a moment",
    isDone: ({ from }, { record }) => from.record?.since === record.since,
    run: keepRecord,
  },
  {
    name: "keep-state",
    says: "keeping the stack's state on the old host",
    takes: "seconds",
    isDone: ({ from }) => from.files.has(FILES.state),
    run: keepState,
  },
  {
    name: "platform",
    says: "making the platform on the new host, without starting it",
    takes: "minutes: packages and images",
    isDone: ({ from }) => from.files.has(FILES.prepared),
    run: makePlatform,
  },
  {
    name: "follow",
    says: "copying the data while the old host works",
    takes: "as long as they are large",
    isDone: fenced,
    run: follow,
  },
  {
    name: "stop",
    says: "stopping the old host: the way in, then all that writes",
    takes: "seconds",
    isDone: fenced,
    isStopped: true,
    run: stop,
  },
  {
    name: "last-changes",
    says: "copying the last changes",
    takes: "seconds",
    isDone: fenced,
    isStopped: true,
    run: copyLast,
  },
  {
    name: "check-files",
    says: "comparing every file of every volume by its checksum",
    takes: "as long as what changed is large",
    isDone: fenced,
    isStopped: true,
    run: checkFiles,
  },
  {
    name: "check-counts",
    says: "comparing rows, keys and messages",
    takes: "until the new host's stores are healthy",
    isDone: fenced,
    isStopped: true,
    run: checkCounts,
  },
  {
    name: "fence",
    says: "ending the old host's service for good",
    takes: "a moment",
    isDone: fenced,
    isStopped: true,
    run: fence,
  },
  {
    name: "config",
    says: "naming the new host in the stack's config",
    takes: "a moment",
    isDone: onNew(FILES.released),
    run: nameNewHost,
  },
  {
    name: "release",
    says: "starting the new host",
    takes: "until everything is healthy",
    isDone: onNew(FILES.released),
    run: release,
  },
  {
    name: "take-state",
    says: "taking the new host's state for the stack's",
    takes: "seconds",
    isDone: onNew(FILES.stated),
    run: takeState,
  },
  {
    name: "finish",
    says: "updating the stack on the new host",
    takes: "a preview; nothing should change",
    isDone: onNew(FILES.finished),
    run: finish,
  },
];
