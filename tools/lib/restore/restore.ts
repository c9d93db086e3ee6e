import { setTimeout as sleep } from "node:timers/promises";
import { commandLine } from "../../../components/configCommand.ts";
import { serviceNames, services } from "../../../components/platform/catalogue.ts";
import { ownerOfVolume } from "../../../components/platform/release.ts";
import { workloadUser } from "../../../components/uids.ts";
import type { Manifest } from "../../../services/backup/src/manifest.ts";
import type { Plan } from "../../../services/backup/src/walPlan.ts";
import type { Daemon } from "../daemon.ts";
import { killSwitch } from "../killSwitch.ts";
import { say, step, UserError } from "../log.ts";
import type { PointInTime } from "./pointInTime.ts";
import { PostgresTarget } from "./postgres.ts";
import { restoreGrafana, restoreRedis, restoreStreams, restoreVolume } from "./stores.ts";
import { type Source, type Volume, volumeNamed, volumeOf } from "./volumes.ts";

/** How long a container may take to be healthy again. */
const HEALTHY_WITHIN_S = 180;
/** The services' volumes: whose they are, and where. */
const serviceVolumes = serviceNames.flatMap((service) =>
  services[service].volumes.map(({ name, path }) => ({ service, name, path })),
);

/** Waits until containers are healthy. */
export async function healthy(daemon: Daemon, names: readonly string[]): Promise<void> {
  for (let waited = 0; waited < HEALTHY_WITHIN_S; waited++) {
    const said = await daemon.ask("inspect", "--format", "{{.Name}} {{.State.Health.Status}}", ...names);
    const waiting = said.split("\n").filter((line) => !line.endsWith(" healthy"));
    if (waiting.length === 0) return;
    if (waited === HEALTHY_WITHIN_S - 1) throw new UserError(`not healthy: ${waiting.join(", ")}`);
    await sleep(1000);
  }
}

/** The application's own volumes that a snapshot holds, each with the present one of the stack. */
export async function applicationVolumes(
  into: Daemon,
  { volumes }: Pick<Manifest, "volumes">,
  container: (service: string) => string,
): Promise<(readonly [string, Volume])[]> {
  const found: (readonly [string, Volume])[] = [];
  for (const { name } of volumes) {
    const owner = ownerOfVolume(name);
    if (owner === undefined) continue;
    // Where the owner runs a stand-in, another that shares the volume has it.
    const all = [owner, ...serviceNames.filter((service) => service !== owner)].map(container);
    const volume = await volumeNamed(into, all, name, workloadUser(owner));
    if (volume === undefined)
      say(`${name} is not restored: no service of ${into.stack} mounts it (release.${owner}.writable)`);
    else found.push([name, volume]);
  }
  return found;
}

export interface RestoreArgs {
  readonly source: Source;
  readonly manifest: Manifest;
  readonly into: Daemon;
  /** Services that stay stopped. */
  readonly held: readonly string[];
  /** Schemas of Postgres that are not restored, and are empty afterwards. */
  readonly without: readonly string[];
  /** Looks at the stores when they run with the restored data, before a service may change it. */
  readonly verify?: () => Promise<void>;
}

/**
 * Replaces a stack's data by a verified snapshot's: stops who writes, restores each store aside and puts it in place, starts
 * everything again. On a fault the services stay stopped, so that nothing trades on half of the data.
 */
export async function restore({ source, manifest, into, held, without, verify }: RestoreArgs): Promise<void> {
  const containers = await into.containers();
  const name = (service: string): string => {
    const found = containers.get(service);
    if (found === undefined)
      throw new UserError(`stack ${into.stack} has no ${service}; bring it up: ${commandLine(into.stack, "up")}`);
    return found.name;
  };
  const stores = ["redis", "nats"].map(name);
  const volumes = serviceVolumes.map((each) => ({ ...each, container: name(each.service) }));
  // What the application keeps beside them, as far as the stack that is restored has a place for it.
  const kept = await applicationVolumes(into, manifest, name);
  const postgres = new PostgresTarget(into, name("postgres"));
  await postgres.check(manifest);
  const writers = [...keptRunning(), "grafana"];
  const at = (container: string, path: string) => volumeOf(into, container, path);
  const switchWasSet = (await killSwitch(into, "status")) !== "";

  await step("restoring Postgres beside the present database", "as long as its dump took", () =>
    postgres.restoreAside(source, manifest, without),
  );
  try {
    await step("stopping the services and the stores", "each ends what it has begun", () =>
      into.ask("stop", ...writers.map(name), ...stores),
    );
    await step("restoring Redis, the streams, the volumes and Grafana", "as long as the copy takes", async () => {
      await restoreRedis(source, await at(name("redis"), "/data"));
      await restoreStreams(source, manifest.jetstream, await at(name("nats"), "/data"));
      for (const { name: volume, container, path } of volumes)
        await restoreVolume(source, volume, await at(container, path));
      for (const [volume, to] of kept) await restoreVolume(source, volume, to);
      // An old backup may not release what somebody has set since.
      if (switchWasSet)
        await killSwitch(into, "on", { reason: "was set before a restore", at: new Date().toISOString() });
      await restoreGrafana(source, await at(name("grafana"), "/var/lib/grafana"));
      await postgres.putInPlace();
    });
    await step("starting the stores", "until they are healthy", async () => {
      await into.ask("start", ...stores);
      // Its start sets roles, passwords and who may connect, for the restored database too.
      await into.ask("restart", name("postgres"));
      await healthy(into, [...stores, name("postgres")]);
    });
    await verify?.();
    await step("starting the services", "until they are healthy", async () => {
      const started = writers.filter((service) => !held.includes(service)).map(name);
      await into.ask("start", ...started);
      await healthy(into, started);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `${why}\nThe services are stopped, so that nothing trades on half of the data: run the same command again.`,
    );
  }
}

export interface MomentArgs {
  readonly plan: Plan;
  readonly postgres: PointInTime;
  readonly daemon: Daemon;
  /** Services that stay stopped. */
  readonly held: readonly string[];
}

/**
 * Replaces Postgres by what it was at a moment: recovers a new cluster beside the present one, then stops the services and puts it
 * in place. The other stores stay as they are. A fault before that changes nothing; after it the services stay stopped.
 */
export async function restoreMoment({ plan, postgres, daemon, held }: MomentArgs): Promise<void> {
  const containers = await daemon.containers();
  const name = (service: string) => containers.get(service)?.name ?? [];
  await step("unpacking a base backup and the log after it", "as long as they are large", () => postgres.unpack(plan));
  await step("recovering a new cluster beside the present one", "as long as the log takes", () =>
    postgres.recover(plan),
  );
  try {
    await step("stopping the services", "each ends what it has begun", () =>
      daemon.ask("stop", ...keptRunning().flatMap(name)),
    );
    await step("storing the last commits of what is replaced", "seconds", () => postgres.storeAll());
    await step("putting the new cluster in place", "a moment", () => postgres.putInPlace());
    await step("starting Postgres and the services", "until they are healthy", async () => {
      await daemon.ask("start", postgres.container);
      await healthy(daemon, [postgres.container]);
      const started = keptRunning()
        .filter((service) => !held.includes(service))
        .flatMap(name);
      await daemon.ask("start", ...started);
      await healthy(daemon, started);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `${why}\nThe services are stopped, so that nothing trades meanwhile: run the same command again.`,
    );
  }
}

/** The services that are kept running: a batch job writes only when somebody starts it. */
export const keptRunning = () => serviceNames.filter((service) => services[service].deploy.mode !== "on-demand");
