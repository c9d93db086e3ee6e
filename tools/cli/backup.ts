import { command, USAGE } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { step, UserError } from "../lib/log.ts";
import { humanBytes } from "../lib/units.ts";
import { openWorkspace, stackExists } from "../lib/workspace.ts";

const HELP = `usage: npm run backup -- [--stack NAME] [--test | --list | --fetch] [--json]

Makes a backup now, beside the nightly one: databases, streams, volumes, Grafana, and the stack's own state. It waits for
the end and tells the snapshot's id, its size and how long it took. What is saved and what is not: docs/backup.md.

  --stack NAME   another stack than "local"
  --test         instead: restore the newest one into a scratch database and compare every table, as each week
  --list         instead: list the snapshots, oldest first
  --fetch        instead: copy from the second repository (backup.s3) what this one lacks, as on a new host; lists them
  --json         print the answer as JSON`;

interface Snapshot {
  readonly id: string;
  readonly time: string;
  readonly bytes: number;
  readonly rows: number;
}

interface BackupResult {
  readonly id: string;
  readonly bytes: number;
  readonly added: number;
  readonly seconds: number;
  readonly tables: number;
  readonly rows: number;
}

const PROGRAM = ["node", "/app/backup.mjs"];

await command(
  {
    help: HELP,
    options: {
      stack: { type: "string", default: "local" },
      test: { type: "boolean" },
      list: { type: "boolean" },
      fetch: { type: "boolean" },
      json: { type: "boolean" },
    },
    changes: "nothing",
  },
  async ({ stack, test, list, fetch, json }) => {
    if ([test, list, fetch].filter(Boolean).length > 1)
      throw new UserError(`give one of --test, --list and --fetch\n\n${HELP}`, USAGE);
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace))) throw new UserError(`there is no stack ${stack}; bring it up: npm run up`);
    const daemon = await Daemon.of(workspace);
    const container = await daemon.container("backup");
    const ask = async <T>(args: readonly string[], input?: string): Promise<T> => {
      const exec = ["exec", ...(input === undefined ? [] : ["--interactive"]), container, ...PROGRAM, ...args];
      const ended = await daemon.run(exec, { allowFailure: true, ...(input === undefined ? {} : { input }) });
      if (ended.code !== 0) throw new UserError(ended.stderr.trim() || `the backup ended with ${ended.code}`);
      return JSON.parse(ended.stdout) as T;
    };
    const tell = <T>(answer: T, words: (answer: T) => string) => {
      process.stdout.write(`${json ? JSON.stringify(answer, null, 2) : words(answer)}\n`);
      return 0;
    };
    const listed = (snapshots: readonly Snapshot[]) =>
      snapshots
        .map(({ id, time, bytes, rows }) => `${id}  ${time.slice(0, 19)}Z  ${humanBytes(bytes)}, ${rows} rows`)
        .join("\n");
    if (list) return tell(await ask<Snapshot[]>(["list"]), listed);
    if (fetch)
      return tell(
        await step("copying from the second repository", "as long as it is large", () => ask<Snapshot[]>(["fetch"])),
        listed,
      );
    if (test)
      return tell(
        await step(`restoring the newest backup of ${stack} as a test`, "as long as a backup", () =>
          ask<{ snapshot: string; tables: number; rows: number; seconds: number }>(["test"]),
        ),
        ({ snapshot, tables, rows, seconds }) =>
          `the backup of ${snapshot} is whole: ${tables} tables with ${rows} rows are as they were saved; ${seconds} s`,
      );
    const { stdout: state } = await workspace.pulumi(["stack", "export", "--stack", stack]);
    return tell(
      await step(`backing up ${stack}`, "seconds, and longer as the data grows", () =>
        ask<BackupResult>(["run", "--state"], state),
      ),
      ({ id, bytes, added, seconds, tables, rows }) =>
        `snapshot ${id}: ${humanBytes(bytes)} (${humanBytes(added)} new), ${tables} tables with ${rows} rows, ${seconds} s`,
    );
  },
);
