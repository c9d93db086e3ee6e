import { writeFileSync } from "node:fs";
import { commandLine } from "../../components/configCommand.ts";
import { executors } from "../../components/platform/catalogue.ts";
import { FORMER_FORMAT, type Manifest, missing, STATE_FILE, savedTables } from "../../services/backup/src/manifest.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, STACK, USAGE, YES } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { say, step, UserError } from "../lib/log.ts";
import { PlatformSwitch, tellKillSwitch } from "../lib/platformSwitch.ts";
import { momentOf, momentText, PointInTime } from "../lib/restore/pointInTime.ts";
import { restore, restoreMoment } from "../lib/restore/restore.ts";
import { piece } from "../lib/restore/volumes.ts";
import { humanBytes } from "../lib/units.ts";
import { openWorkspace, outputs, stackExists, type Workspace } from "../lib/workspace.ts";

async function existing(stack: string): Promise<Workspace> {
  const workspace = await openWorkspace(stack);
  if (!(await stackExists(workspace)))
    throw new UserError(`there is no stack ${stack}; bring it up: ${commandLine(stack, "up")}`);
  return workspace;
}

/** Which executors stay stopped afterwards, and why. */
async function stopped(target: Workspace, stack: string) {
  const live = (await outputs(target)).trading === "live";
  const { on } = await (await PlatformSwitch.of(stack)).run("status");
  // They trade by themselves: with real money, a human compares the positions with the broker's first.
  return { live, on, held: live || on ? executors : [] };
}

async function restoreAt(stack: string, at: string, unaskedFor: boolean): Promise<number> {
  const target = await existing(stack);
  const daemon = await Daemon.of(target);
  const postgres = await PointInTime.of(daemon);
  // What was committed within the last minute may not be stored yet.
  if (at === "latest" || !(await postgres.has(at)))
    await step("storing the last commits", "seconds", () => postgres.storeAll());
  const { plan, bytes } = await postgres.plan(at);
  const moment = momentText(at);
  say(`${moment}: from the base backup ${plan.base.slice(0, 20)} and the log after it, ${humanBytes(bytes)}`);
  if (!unaskedFor && !(await confirm(`Replace Postgres of ${stack} by what it was at ${moment}?`))) {
    say("nothing was changed (--yes does not ask)");
    return 1;
  }
  await postgres.prepare(bytes);
  const { live, held } = await stopped(target, stack);
  await restoreMoment({ plan, postgres, daemon, held });
  say(`Postgres of ${stack} is what it was at ${moment}; what it was until now can be restored in the same way.`);
  if (live)
    say(
      `Trading is live: ${held.join(" and ")} stay stopped. Compare positions and open orders with the broker's first, then start them: docs/backup.md, After a restore`,
    );
  await tellKillSwitch(stack);
  return 0;
}

export const restoreCommand = command(
  {
    usage: "ID|latest | --at TIME|latest|previous",
    about: `Replaces a stack's data with a backup's: databases, streams, volumes, Grafana. First the whole backup is read, decrypted
and compared with its own manifest; one that is damaged, incomplete or locked by another key is refused before anything is
overwritten. Then the services stop, the data is restored, and they start again.
With --at, Postgres alone is what it was at that second, or at the last commit that was stored; everything else stays as it is. On
a new host, "previous" is the last commit of the lost one, after \`backup --fetch\`.`,
    words: { ID: "of a backup, as `backup --list` shows it" },
    positionals: true,
    options: {
      stack: { ...STACK, says: 'the stack whose backup it is; default "local"' },
      at: {
        type: "string",
        value: "TIME|latest|previous",
        says: "instead: restore Postgres alone to a moment, such as 2026-11-28T14:03:00Z, from its archived log",
      },
      into: { type: "string", value: "NAME", says: "the stack whose data is replaced; default the same" },
      state: {
        type: "string",
        value: "FILE",
        says: "only write the export of the stack's state that is in the backup (for `pulumi stack import`); replaces no data",
      },
      without: {
        type: "string",
        multiple: true,
        default: [],
        value: "SCHEMA",
        says: "leave out a schema of Postgres that the backup lacks or that cannot be restored; it is empty afterwards. May be given several times",
      },
      yes: YES,
    },
    changes: ({ stack, into = stack, state }) => (state === undefined ? into : undefined),
  },
  async ({ stack, at, into = stack, state, without, yes }, [id, ...more]) => {
    if (at !== undefined) {
      if (id !== undefined || into !== stack || state !== undefined || without.length > 0)
        throw new UserError("--at restores Postgres of the stack itself: it goes with --stack and --yes alone", USAGE);
      return restoreAt(stack, momentOf(at), unasked(yes));
    }
    if (id === undefined || more.length > 0 || !/^(latest|[0-9a-f]{8,64})$/.test(id))
      throw new UserError(`name one backup by its id, or "latest"`, USAGE);
    const daemon = await Daemon.of(await existing(stack));
    const target = await existing(into);
    const container = await daemon.container("backup");
    const opened = await step(`reading backup ${id} of ${stack} as a whole`, "nothing is overwritten yet", () =>
      daemon.run(["exec", container, "node", "/app/backup.mjs", "open", id], { allowFailure: true }),
    );
    if (opened.code !== 0) throw new UserError(`${opened.stderr.trim()}\nNothing was changed.`);
    const { id: snapshot, manifest } = JSON.parse(opened.stdout) as { id: string; manifest: Manifest };
    const source = { daemon, container, snapshot };
    if (state !== undefined) {
      if (manifest.stateExportedAt === null) throw new UserError("this backup holds no export of the stack's state");
      writeFileSync(state, await daemon.ask(...piece(source, "cat", STATE_FILE)), { mode: 0o600 });
      say(`${state}: the state of ${manifest.stack} of ${manifest.stateExportedAt}`);
      return 0;
    }
    const lacking = manifest.postgres.faults.filter(({ schema }) => !without.includes(schema));
    if (lacking.length > 0)
      throw new UserError(
        `this backup lacks parts of Postgres: ${missing({ faults: lacking, lost: [] }).join("; ")}\nTake another one, or go without, and have them empty: ${lacking.map(({ schema }) => `--without ${schema}`).join(" ")}\nNothing was changed.`,
      );
    const tables = savedTables(manifest).filter(({ schema }) => !without.includes(schema));
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    const what = `the backup of ${manifest.stack} (${manifest.environment}), ${manifest.finishedAt}`;
    say(`${what}: ${tables.length} tables with ${rows} rows, whole`);
    if (!unasked(yes) && !(await confirm(`Replace all data of ${into} by ${what}?`))) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    const { live, on, held } = await stopped(target, into);
    await restore({ source, manifest, into: await Daemon.of(target), held, without });
    const proof =
      manifest.format === FORMER_FORMAT ? "as many rows as were saved" : "the rows and checksums that were saved";
    say(`${into} has the data of ${manifest.finishedAt}: every table has ${proof}`);
    if (live)
      say(
        `Trading is live: ${held.join(" and ")} stay stopped. Compare positions and open orders with the broker's first,\n` +
          `${on ? "then release the kill switch, which discards what waited in the stream" : "(an order that was in the stream then is sent once more), then start them"}: docs/backup.md, After a restore`,
      );
    await tellKillSwitch(into);
    return 0;
  },
);
