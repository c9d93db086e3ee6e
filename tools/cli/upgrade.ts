import { commandLine } from "../../components/configCommand.ts";
import { executors } from "../../components/platform/catalogue.ts";
import { confirm, unasked } from "../lib/ask.ts";
import { command, STACK, YES } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { say, UserError } from "../lib/log.ts";
import { PlatformSwitch, tellKillSwitch } from "../lib/platformSwitch.ts";
import { prepareImages } from "../lib/prepare.ts";
import { checkTradingStopped } from "../lib/removedByHand.ts";
import { keptRunning } from "../lib/restore/restore.ts";
import { volumeOf } from "../lib/restore/volumes.ts";
import { rollOut } from "../lib/rollover.ts";
import { settingsOf } from "../lib/stackSettings.ts";
import { humanBytes } from "../lib/units.ts";
import { update } from "../lib/update.ts";
import { ClusterFolders, type Clusters, type Kept } from "../lib/upgrade/clusters.ts";
import { upgradePostgres } from "../lib/upgrade/upgrade.ts";
import { wantedImage } from "../lib/upgrade/wanted.ts";
import { openWorkspace, outputs, setConfig, stackExists, type Workspace } from "../lib/workspace.ts";

const DATA = "/var/lib/postgresql/data";

async function removeKept(folders: ClusterFolders, { data, kept }: Clusters, stack: string, ask: boolean) {
  const former = kept.filter(({ major }) => major !== data);
  if (former.length === 0) {
    say(`no cluster of a former version is kept in Postgres's volume of ${stack}`);
    return 0;
  }
  const what = former.map(({ major, bytes }) => `Postgres ${major}, ${humanBytes(bytes)}`).join("; ");
  if (ask && !(await confirm(`Remove the kept cluster (${what}) of ${stack}? There is no way back to it then.`))) {
    say("nothing was removed (--yes does not ask)");
    return 1;
  }
  for (const { major } of former) await folders.removeKept(major);
  say(`removed: ${what}`);
  return 0;
}

function tellKept(kept: readonly Kept[], stack: string): void {
  for (const { major, bytes } of kept)
    say(
      `The cluster of Postgres ${major} is kept in the volume, ${humanBytes(bytes)}. When it is no longer needed: ${commandLine(stack, "upgrade --remove-old")}`,
    );
}

/** Brings the stack up, on this checkout's own image of Postgres or on one that is held. */
async function bringUp(workspace: Workspace, held: string | undefined): Promise<void> {
  if (held !== undefined) await setConfig(workspace, { "heldImages.postgres": held });
  else if ((await settingsOf(workspace)).heldImages.postgres !== undefined)
    await workspace.pulumi(["config", "rm", "--stack", workspace.stack, "--path", "autollm:heldImages.postgres"]);
  await rollOut(workspace, () => update(workspace, true));
}

export const upgradeCommand = command(
  {
    usage: "[--remove-old]",
    about: `Brings the data of Postgres to the major version that this checkout's image has, and the stack up with it. First a backup is
made. Then the services stop, what is there is saved once more, and a new cluster is filled from that beside the present one: each schema
by the role that owns it, every table compared by its rows and their checksum. The clusters change places, and everything starts. If
a step fails, the former cluster and image run again. If it is interrupted, run it again.
The former cluster stays in the volume until --remove-old. See docs/backup.md, Another major version of a store.`,
    options: {
      stack: STACK,
      "remove-old": {
        type: "boolean",
        says: "instead: remove the cluster of the former version, which an upgrade has kept",
      },
      yes: YES,
    },
    changes: ({ stack }) => stack,
  },
  async ({ stack, "remove-old": removeOld, yes }) => {
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace)))
      throw new UserError(`there is no stack ${stack}; bring it up: ${commandLine(stack, "up")}`);
    const daemon = await Daemon.of(workspace);
    const container = await daemon.container("postgres");
    const volume = await volumeOf(daemon, container, DATA);
    const folders = new ClusterFolders(volume);
    const clusters = await folders.look();
    const { data, bytes, kept } = clusters;
    if (removeOld) return removeKept(folders, clusters, stack, !unasked(yes));
    if (workspace.local) await prepareImages(workspace);
    const settings = await settingsOf(workspace);
    const wanted = await wantedImage(daemon, settings, volume.user);
    if (data === undefined) throw new UserError(`Postgres of ${stack} has no data yet: ${commandLine(stack, "up")}`);
    if (data > wanted.major)
      throw new UserError(
        `the data are of Postgres ${data}, and ${wanted.reference} has ${wanted.major}: data is never brought to an older version`,
      );
    const inPlace = data === wanted.major;
    const live = settings.trading.live || (await outputs(workspace)).trading === "live";
    const { on } = await (await PlatformSwitch.of(stack)).run("status");
    const held = live || on ? executors : [];
    const containers = await daemon.containers();
    const wants = ["postgres", ...keptRunning()].filter((name) => !held.some((each) => each === name));
    if (inPlace && volume.image === wanted.id && wants.every((name) => containers.get(name)?.running === true)) {
      say(`Postgres of ${stack} is ${data}, and so is its image: nothing to do`);
      if (kept.length > 0) tellKept(kept, stack);
      return 0;
    }
    await checkTradingStopped(workspace, "the executors stop meanwhile");
    say(
      inPlace
        ? `Postgres of ${stack}: the data are of ${data} already. The image is ${wanted.reference}; everything is started that does not run.`
        : `Postgres of ${stack}: from ${data} (${humanBytes(bytes)}) to ${wanted.major}, ${wanted.reference}.
The services stop for as long as a backup and a restore take. The cluster of ${data} is kept.`,
    );
    if (!unasked(yes) && !(await confirm(`Upgrade Postgres of ${stack} to ${wanted.major}?`))) {
      say("nothing was changed (--yes does not ask)");
      return 1;
    }
    await upgradePostgres({
      ...{ daemon, volume, folders, wanted },
      former: inPlace ? (kept.find(({ mayReturn }) => mayReturn)?.major ?? data) : data,
      reference: await daemon.ask("inspect", "--format", '{{index .Config.Labels "autollm.image"}}', container),
      held,
      state: async () => (await workspace.pulumi(["stack", "export", "--stack", stack])).stdout,
      bringUp: (held) =>
        bringUp(workspace, held ?? (wanted.reference === settings.heldImages.postgres ? wanted.reference : undefined)),
    });
    say(
      inPlace
        ? `Postgres of ${stack} is ${wanted.major}, and all that was stopped runs`
        : `Postgres of ${stack} is ${wanted.major}: every table has the rows and checksums that it had`,
    );
    tellKept((await folders.look()).kept, stack);
    await tellKillSwitch(stack);
    return 0;
  },
);
