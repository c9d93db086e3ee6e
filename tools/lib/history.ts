import type { Release } from "./release.ts";
import { sameRelease } from "./release.ts";

/** One update of a stack, as `pulumi stack history --json` tells it. The backend keeps each update's config. */
export interface Update {
  readonly kind: string;
  readonly result?: string;
  readonly startTime: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, { readonly value?: string; readonly objectValue?: unknown }>>;
}

/** What an update by our commands says of its maker, as its message in the history. */
export const deployedBy = ({ who, from }: { readonly who: string; readonly from: string }) => `by ${who} from ${from}`;

/** Who made an update, by its message; undefined for one that did not come by our commands. */
export const makerOf = (message: string): string | undefined => /^by (\S.* from \S.*)$/.exec(message)?.[1];

/** What a stack ran after an update. */
export interface Deployed {
  /** Start of the update (ISO 8601, UTC): the one name that every backend gives it. */
  readonly time: string;
  /** Commit of the program, where the engine saw one. */
  readonly commit: string | undefined;
  readonly release: Release;
}

function releaseOf({ config }: Update): Release {
  const entry = config?.["autollm:release"];
  if (entry === undefined) return {};
  return (entry.objectValue ?? JSON.parse(entry.value ?? "{}")) as Release;
}

/** The updates that ended well, newest first. A preview, a refresh or a destroy deployed nothing. */
export function deployments(history: readonly Update[]): readonly Deployed[] {
  return history
    .filter(({ kind, result }) => kind === "update" && result === "succeeded")
    .map((update) => ({
      time: update.startTime,
      commit: update.environment?.["git.head"],
      release: releaseOf(update),
    }));
}

/** The newest good deployment with another release than the present one; with `time`, the one whose start begins so. */
export function previousRelease(history: readonly Update[], current: Release, time?: string): Deployed | undefined {
  const done = deployments(history);
  if (time !== undefined) return done.find((each) => each.time.startsWith(time));
  return done.find(({ release }) => !sameRelease(release, current));
}
