import { commandLine } from "../../components/configCommand.ts";
import type { RestoreTestResult } from "../../services/backup/src/restoreTest.ts";
import { bucketOf, prunerPolicy, writerPolicy } from "../../services/backup/src/s3.ts";
import type { Pruned } from "../../services/backup/src/second.ts";
import type { WalTestResult } from "../../services/backup/src/walTest.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, JSON_OUT, STACK, USAGE, YES } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { say, step, UserError } from "../lib/log.ts";
import { remotePruner } from "../lib/pruner.ts";
import { settingsOf } from "../lib/stackSettings.ts";
import { humanBytes } from "../lib/units.ts";
import { openWorkspace, stackExists } from "../lib/workspace.ts";

interface Snapshot {
  readonly id: string;
  readonly time: string;
  readonly bytes: number;
  readonly rows: number;
  readonly partial?: boolean;
}

interface BackupResult {
  readonly id: string;
  readonly bytes: number;
  readonly added: number;
  readonly seconds: number;
  readonly tables: number;
  readonly rows: number;
  readonly copyFailed?: string;
}

const PROGRAM = ["node", "/app/backup.mjs"];

export const backupCommand = command(
  {
    usage: "[--test | --list | --fetch | --prune-remote | --policies]",
    about: `Makes a backup now, beside the hourly one: databases, streams, volumes, Grafana, and the stack's own state. It waits for
the end and prints the snapshot's id, its size and how long it took. What is saved and what is not: docs/backup.md.`,
    options: {
      stack: STACK,
      test: {
        type: "boolean",
        says: "instead: restore the newest one into a scratch database and compare every table, then Postgres to a moment, as the weekly tests do",
      },
      list: { type: "boolean", says: "instead: list the snapshots, oldest first" },
      fetch: {
        type: "boolean",
        says: "instead: copy the backups that this repository lacks and Postgres's log from the second one (backup.s3), as on a new host, and list them",
      },
      "prune-remote": {
        type: "boolean",
        says: "instead: remove backups past their retention from the second repository. It runs on this machine, with a key of its own that the stack never has: PRUNE_ACCESS_KEY and PRUNE_SECRET_KEY in the environment",
      },
      policies: {
        type: "boolean",
        says: "instead: print what the two keys of the second repository may do, as S3 policies",
      },
      yes: YES,
      json: JSON_OUT,
    },
    changes: "nothing",
  },
  async ({ stack, test, list, fetch, "prune-remote": pruneRemote, policies, yes, json }) => {
    if ([test, list, fetch, pruneRemote, policies].filter(Boolean).length > 1)
      throw new UserError(`give one of --test, --list, --fetch, --prune-remote and --policies`, USAGE);
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace)))
      throw new UserError(`there is no stack ${stack}; bring it up: ${commandLine(stack, "up")}`);
    const place = async () => {
      const { s3 } = (await settingsOf(workspace)).backup;
      if (s3 === undefined) throw new UserError("the stack's config names no second repository: backup.s3");
      return s3;
    };
    if (policies === true) {
      const bucket = bucketOf(await place());
      process.stdout.write(
        `${JSON.stringify({ writer: writerPolicy(bucket), pruner: prunerPolicy(bucket) }, null, 2)}\n`,
      );
      return 0;
    }
    const daemon = await Daemon.of(workspace);
    if (pruneRemote === true) {
      const pruner = await remotePruner(workspace, daemon, await place());
      const due = await step("looking for what is older than is kept", "as the network allows", () => pruner(true));
      const words = ({ removed, kept }: Pruned) =>
        `${removed.length} to remove${removed.length > 0 ? ` (${removed.join(", ")})` : ""}, ${kept.length} stay, the last of ${kept.at(-1)?.time.slice(0, 19) ?? "never"}Z`;
      say(words(due));
      if (
        due.removed.length > 0 &&
        !unasked(yes) &&
        !(await confirm(`Remove them from the second repository of ${stack}?`))
      ) {
        say("nothing was removed (--yes does not ask)");
        return 1;
      }
      const pruned = await step("removing them, and what belongs to them alone", "as the network allows", () =>
        pruner(false),
      );
      process.stdout.write(json ? `${JSON.stringify(pruned, null, 2)}\n` : `removed: ${pruned.removed.length}\n`);
      return 0;
    }
    const container = await daemon.container("backup");
    const askOf = async <T>(asked: string, args: readonly string[], input?: string): Promise<T> => {
      const exec = ["exec", ...(input === undefined ? [] : ["--interactive"]), asked, ...PROGRAM, ...args];
      const ended = await daemon.run(exec, { allowFailure: true, ...(input === undefined ? {} : { input }) });
      if (ended.code !== 0) throw new UserError(ended.stderr.trim() || `the backup ended with ${ended.code}`);
      return JSON.parse(ended.stdout) as T;
    };
    const ask = <T>(args: readonly string[], input?: string) => askOf<T>(container, args, input);
    const tell = <T>(answer: T, words: (answer: T) => string) => {
      process.stdout.write(`${json ? JSON.stringify(answer, null, 2) : words(answer)}\n`);
      return 0;
    };
    const listed = (snapshots: readonly Snapshot[]) =>
      snapshots
        .map(
          ({ id, time, bytes, rows, partial }) =>
            `${id}  ${time.slice(0, 19)}Z  ${humanBytes(bytes)}, ${rows} rows${partial === true ? ", partial" : ""}`,
        )
        .join("\n");
    if (list) return tell(await ask<Snapshot[]>(["list"]), listed);
    if (fetch) {
      const archive = await daemon.container("wal-archive");
      const before = new Set((await ask<Snapshot[]>(["list"])).map(({ id }) => id));
      const all = await step("copying from the second repository", "as long as it is large", async () => {
        const log = await daemon.run(["exec", archive, ...PROGRAM, "wal-fetch"], { allowFailure: true });
        if (log.code !== 0) throw new UserError(log.stderr.trim() || `Postgres's log was not fetched: ${log.code}`);
        return ask<Snapshot[]>(["fetch"]);
      });
      const newest = all.findLast(({ id, partial }) => !before.has(id) && partial !== true);
      tell(all, listed);
      if (newest !== undefined)
        say(
          `the newest that was fetched: ${newest.id}. On a new host, restore it: ${commandLine(stack, `restore ${newest.id}`)}`,
        );
      return 0;
    }
    if (test) {
      const backup = await step(`restoring the newest backup of ${stack} as a test`, "as long as a backup", () =>
        ask<RestoreTestResult>(["test"]),
      );
      const pointInTime = await step("restoring Postgres to a moment as a test", "as long as that restore", async () =>
        askOf<WalTestResult | null>(await daemon.container("wal-archive"), ["wal-test"]),
      );
      return tell({ ...backup, pointInTime }, ({ snapshot, tables, rows, seconds }) =>
        [
          `the backup of ${snapshot} is whole: ${tables} tables with ${rows} rows are as they were saved; ${seconds} s`,
          pointInTime === null
            ? "Postgres can be restored to no moment yet: the first base backup is made within minutes after `up`"
            : `Postgres was restored to ${pointInTime.moment}: ${pointInTime.tables} tables with ${pointInTime.rows} rows were read; ${pointInTime.seconds} s`,
        ].join("\n"),
      );
    }
    const { stdout: state } = await workspace.pulumi(["stack", "export", "--stack", stack]);
    return tell(
      await step(`backing up ${stack}`, "seconds, and longer as the data grows", () =>
        ask<BackupResult>(["run", "--state"], state),
      ),
      ({ id, bytes, added, seconds, tables, rows, copyFailed }) =>
        `${copyFailed === undefined ? "" : `THE COPY TO THE SECOND REPOSITORY FAILED: ${copyFailed}\n`}snapshot ${id}: ${humanBytes(bytes)} (${humanBytes(added)} new), ${tables} tables with ${rows} rows, ${seconds} s`,
    );
  },
);
