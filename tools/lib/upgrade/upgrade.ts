import { commandLine } from "../../../components/configCommand.ts";
import { type Manifest, missing } from "../../../services/backup/src/manifest.ts";
import type { Daemon } from "../daemon.ts";
import { say, step, UserError } from "../log.ts";
import { PointInTime } from "../restore/pointInTime.ts";
import { healthy, keptRunning } from "../restore/restore.ts";
import type { Volume } from "../restore/volumes.ts";
import { humanBytes } from "../units.ts";
import type { ClusterFolders, Clusters } from "./clusters.ts";
import { fillNewCluster } from "./newCluster.ts";
import { UpgradeServer } from "./server.ts";
import { tryNewVersion } from "./trial.ts";
import type { PostgresImage } from "./wanted.ts";

const BACKUP = ["node", "/app/backup.mjs"];

/** What an upgrade works on. */
export interface UpgradeArgs {
  readonly daemon: Daemon;
  /** Postgres's volume, with the image of its container. */
  readonly volume: Volume;
  readonly folders: ClusterFolders;
  /** The major version from which it goes, and to which it goes back. */
  readonly former: number;
  /** The reference of the image that its container has. */
  readonly reference: string;
  readonly wanted: PostgresImage;
  /** Services that stay stopped. */
  readonly held: readonly string[];
  /** An export of the stack's state, for the backup. */
  readonly state: () => Promise<string>;
  /** Brings the stack up with an image of Postgres; undefined for this checkout's own. */
  readonly bringUp: (heldImage: string | undefined) => Promise<void>;
}

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Runs the backup's program, and answers what it said. */
async function backup<T>(daemon: Daemon, args: readonly string[], input?: string): Promise<T> {
  const exec = ["exec", ...(input === undefined ? [] : ["--interactive"]), await daemon.container("backup")];
  const ended = await daemon.run([...exec, ...BACKUP, ...args], {
    allowFailure: true,
    ...(input === undefined ? {} : { input }),
  });
  if (ended.code !== 0) throw new UserError(ended.stderr.trim() || `the backup ended with exit code ${ended.code}`);
  return JSON.parse(ended.stdout) as T;
}

/** The containers of the services that are kept running. */
async function serviceContainers(daemon: Daemon, held: readonly string[] = []): Promise<string[]> {
  const all = await daemon.containers();
  return keptRunning()
    .filter((service) => !held.includes(service))
    .flatMap((service) => all.get(service)?.name ?? []);
}

async function startServices({ daemon, held }: Pick<UpgradeArgs, "daemon" | "held">): Promise<void> {
  const names = await serviceContainers(daemon, held);
  await step("starting the services", "until they are healthy", async () => {
    await daemon.ask("start", ...names);
    await healthy(daemon, names);
  });
}

/** @throws UserError when the disk has no room for a second cluster */
export function checkRoom({ bytes, freeBytes }: Clusters): void {
  if (freeBytes < bytes)
    throw new UserError(
      `a second cluster needs ${humanBytes(bytes)} beside the present one, and ${humanBytes(freeBytes)} are free. Nothing was changed.`,
    );
}

/** Backs everything up while it runs: a backup that fails now has changed nothing. */
async function saveFirst({ daemon, state }: UpgradeArgs): Promise<void> {
  const container = await daemon.container("postgres");
  await daemon.ask("start", container);
  await healthy(daemon, [container]);
  await step("making a backup", "seconds, and longer as the data grows", async () =>
    backup(daemon, ["run", "--state"], await state()),
  );
}

/** Stops who writes, and answers the backup of that moment, verified as a whole. */
async function saveLast({ daemon }: UpgradeArgs): Promise<{ readonly id: string; readonly manifest: Manifest }> {
  await step("stopping the services", "each ends what it has begun", async () =>
    daemon.ask("stop", ...(await serviceContainers(daemon))),
  );
  await step("storing the last commits in the log's archive", "seconds", async () =>
    (await PointInTime.of(daemon)).storeAll(),
  );
  return step("saving what is there now, and reading it again", "as long as the backup", async () => {
    const { id } = await backup<{ id: string }>(daemon, ["run"]);
    const opened = await backup<{ id: string; manifest: Manifest }>(daemon, ["open", id]);
    const lacking = missing(opened.manifest.postgres);
    if (lacking.length > 0) throw new UserError(`the backup lacks parts of Postgres: ${lacking.join("; ")}`);
    return opened;
  });
}

/** Makes the new cluster, whole and beside the present one; nothing writes to that any more. */
async function prepare(args: UpgradeArgs): Promise<void> {
  const { daemon, volume, wanted } = args;
  const { id, manifest } = await saveLast(args);
  const source = { daemon, container: await daemon.container("backup"), snapshot: id };
  const former = await daemon.container("postgres");
  await step(`filling a new cluster of Postgres ${wanted.major}`, "as long as a restore", () =>
    fillNewCluster({ volume, former, image: wanted.id, source, manifest }),
  );
  const running = await daemon.containers();
  const started = keptRunning().filter((service) => running.get(service)?.running === true);
  if (started.length > 0)
    throw new UserError(`${started.join(", ")} was started meanwhile, and may have written what the new cluster lacks`);
}

const mayReturn = async (folders: ClusterFolders, former: number) =>
  (await folders.look()).kept.some((kept) => kept.major === former && kept.mayReturn);

/** Has Postgres run on the former cluster again: in the container that is left of it, or in a new one of its image. */
async function startFormer({
  daemon,
  folders,
  former,
  volume,
  wanted,
  reference,
  bringUp,
}: UpgradeArgs): Promise<void> {
  const container = (await daemon.containers()).get("postgres")?.name;
  let image = reference;
  await UpgradeServer.removeLeft(daemon);
  if (await mayReturn(folders, former)) {
    if (container !== undefined) await daemon.ask("stop", container);
    image = await folders.imageOf(former);
    await folders.swapBack(former);
  } else await folders.settle();
  const has = container && (await daemon.ask("inspect", "--format", "{{.Image}}", container));
  if (container === undefined || has !== volume.image || has === wanted.id) return bringUp(image);
  await daemon.ask("start", container);
  await healthy(daemon, [container]);
}

/**
 * Takes the former cluster back into use.
 * @throws always: that it did, and why
 */
async function goBack(args: UpgradeArgs, why: unknown): Promise<never> {
  const { daemon, former } = args;
  say(`${words(why)}\nGoing back to Postgres ${former}.`);
  try {
    await startFormer(args);
    await startServices(args);
  } catch (error) {
    throw new UserError(
      `Postgres was NOT upgraded: ${words(why)}\nThe way back did not end either: ${words(error)}\nNothing is lost. If the cause is removed: ${commandLine(daemon.stack, "upgrade")}`,
    );
  }
  throw new UserError(
    `Postgres was NOT upgraded: ${words(why)}\nPostgres ${former} runs again on its data, and the services with it. Nothing is lost.`,
  );
}

/** Whether Postgres's container has the new image and is healthy. */
async function newOneRuns({ daemon, wanted }: UpgradeArgs): Promise<boolean> {
  const container = (await daemon.containers()).get("postgres");
  if (container === undefined) return false;
  const said = await daemon.ask("inspect", "--format", "{{.Image}} {{.State.Health.Status}}", container.name);
  return said === `${wanted.id} healthy`;
}

/** From data of the new version to a stack that runs on it. */
async function finish(args: UpgradeArgs): Promise<void> {
  const { daemon, folders, former, wanted } = args;
  try {
    if (await newOneRuns(args)) await folders.settleOnNew(former);
    else {
      const container = (await daemon.containers()).get("postgres")?.name;
      if (container !== undefined) {
        await daemon.ask("stop", container);
        await step(`starting Postgres ${wanted.major} as a trial`, "seconds", () =>
          tryNewVersion(daemon, container, wanted.id),
        );
      }
    }
    await args.bringUp(undefined);
  } catch (error) {
    const runs = await newOneRuns(args);
    if (!runs && (await mayReturn(folders, former))) return goBack(args, error);
    if (!runs) throw error;
    say(`Postgres ${wanted.major} runs on its data, and something else is at fault: ${words(error)}`);
    await folders.settleOnNew(former);
    await startServices(args);
    throw error;
  }
  await healthy(daemon, [await daemon.container("postgres")]);
  await folders.settleOnNew(former);
  await startServices(args);
}

/** Upgrades Postgres's data. An upgrade that was interrupted begins again, or is finished if its cluster was in place already. */
export async function upgradePostgres(args: UpgradeArgs): Promise<void> {
  const { daemon, folders, reference, wanted } = args;
  await UpgradeServer.removeLeft(daemon);
  await folders.settle();
  const { data, ...clusters } = await folders.look();
  if (data !== wanted.major) {
    checkRoom({ data, ...clusters });
    await saveFirst(args);
    try {
      await prepare(args);
      await step("putting the new cluster in place", "a moment", async () => {
        await daemon.ask("stop", await daemon.container("postgres"));
        await folders.swap(args.former, reference);
      });
    } catch (error) {
      return goBack(args, error);
    }
  }
  await finish(args);
}
