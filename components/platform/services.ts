import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { deliveryOf } from "../credentials/catalogue.ts";
import { grantedTo } from "../credentials/grants.ts";
import { natsClaim } from "../data/natsClaim.ts";
import { storeUser } from "../data/slotUser.ts";
import type { FileTree } from "../runtime/files.ts";
import type { ResolvedImage } from "../runtime/images.ts";
import { liveLabels } from "../runtime/live.ts";
import type { PartArgs } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import { Workload } from "../runtime/workload.ts";
import type { Claim, WorkloadSpec } from "../runtime/workloadSpec.ts";
import { serviceSeats } from "../segments.ts";
import type { Settings } from "../settings.ts";
import { uidOf, workloadUser } from "../uids.ts";
import { isExecutor, isServiceName, type ServiceName, type ServiceSpec, serviceNames, services } from "./catalogue.ts";
import { serviceEnvironment } from "./environment.ts";
import { fillEnvironment } from "./filled.ts";
import { imageStart } from "./imageStart.ts";
import type { KillSwitchMount } from "./killSwitchMount.ts";
import { type Start, volumeHolder, volumeNameOf } from "./release.ts";
import { STAND_IN_COMMAND } from "./standIn.ts";
import { applicationOf, sharers, startOf } from "./started.ts";
import { WRAPPED } from "./wrapper.ts";

export interface ServicesArgs extends PartArgs {
  readonly settings: Settings;
  /** IB Gateway's API port. */
  readonly ibPort: number;
  /** The directory in which the executors see the kill switch. */
  readonly killSwitch: KillSwitchMount;
  /** NATS's live directory: where an executor's claim of its user is recorded. */
  readonly natsDirectory: string;
  /** What must be healthy before a service starts, by its name in `needs`. */
  readonly dependencies: Readonly<Record<string, pulumi.Resource>>;
}

const HEALTH = "/run/autollm/health.sh";
const EXECUTOR_HEALTH = "/run/autollm/executor-health.sh";

const startScript = readFileSync(new URL("start.sh", import.meta.url), "utf8");
const healthScript = readFileSync(new URL("health.sh", import.meta.url), "utf8");
const executorHealthScript = readFileSync(new URL("executor-health.sh", import.meta.url), "utf8");

/** Names in the order in which they can start: what a service needs comes before it. */
export function startOrder(
  names: readonly ServiceName[],
  needsOf: (name: ServiceName) => readonly string[],
): ServiceName[] {
  const order: ServiceName[] = [];
  const visit = (name: ServiceName, path: readonly ServiceName[]) => {
    if (order.includes(name)) return;
    if (path.includes(name)) throw new Error(`services need each other in a circle: ${[...path, name].join(" -> ")}`);
    for (const need of needsOf(name)) if (isServiceName(need)) visit(need, [...path, name]);
    order.push(name);
  };
  for (const name of names) visit(name, []);
  return order;
}

/** The services of the catalogue, each with what its entry grants and nothing else. */
export class Services extends pulumi.ComponentResource {
  readonly workloads: ReadonlyMap<ServiceName, Workload>;
  /** The services that run the reference stand-in, because no release names an image. */
  readonly standIns: readonly ServiceName[];
  /** The services' volumes by name. */
  readonly volumes: ReadonlyMap<string, StatefulVolume>;
  readonly #volumes = new Map<string, StatefulVolume>();

  constructor(name: string, args: ServicesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:platform:Services", name, {}, opts);
    const workloads = new Map<ServiceName, Workload>();
    for (const service of startOrder(serviceNames, (each) => services[each].needs)) {
      const dependsOn = services[service].needs.flatMap((need) => {
        const part = isServiceName(need) ? workloads.get(need) : args.dependencies[need];
        return part === undefined ? [] : [part];
      });
      workloads.set(
        service,
        new Workload(
          service,
          {
            target: args.target,
            segments: args.segments,
            digestKey: args.credentials.digestKey,
            workloads: args.workloads,
            spec: this.#spec(service, args),
          },
          { parent: this, dependsOn },
        ),
      );
    }
    this.workloads = workloads;
    this.volumes = this.#volumes;
    this.standIns = serviceNames.filter((service) => args.settings.release[service] === undefined);
    this.registerOutputs({});
  }

  /** A volume, created for the first service that mounts it. */
  #volume(name: string, owner: ServiceName, path: string, args: ServicesArgs): StatefulVolume {
    const known = this.#volumes.get(name);
    if (known !== undefined) return known;
    const shared = sharers(owner, args.settings).some((sharer) => sharer.path === path);
    const owned = { target: args.target, shared, ...volumeOwner(workloadUser(owner), args.images) };
    const volume = new StatefulVolume(name, owned, { parent: this });
    this.#volumes.set(name, volume);
    return volume;
  }

  #image(service: ServiceName, args: ServicesArgs): ResolvedImage {
    const release = args.settings.release[service];
    return release === undefined ? args.images.get("reference") : args.images.resolve(service, release.image);
  }

  /** The command line: the stand-in's, the one that is set, or the image's own. */
  #command(service: ServiceName, image: ResolvedImage, start: Start, args: ServicesArgs) {
    const release = args.settings.release[service];
    if (release === undefined) return { command: [...WRAPPED, ...STAND_IN_COMMAND] };
    // The image is always inspected, so that one that cannot be started is refused while the previous container still runs.
    const imageCommand = imageStart(
      {
        target: args.target,
        service,
        image,
        user: workloadUser(service),
        asksHealth: services[service].port !== null && start.health === undefined,
        command: start.command,
        recorded: release.recorded,
      },
      { parent: this },
    );
    return { command: WRAPPED, imageCommand };
  }

  #spec(service: ServiceName, args: ServicesArgs): WorkloadSpec {
    const { settings } = args;
    const entry: ServiceSpec = services[service];
    const start = startOf(service, settings);
    const image = this.#image(service, args);
    const asked =
      start.health ?? (entry.port === null ? undefined : ["/bin/sh", HEALTH, String(entry.port), "/health"]);
    const executes = isExecutor(service);
    const health = executes && asked !== undefined ? ["/bin/sh", EXECUTOR_HEALTH, ...asked] : asked;
    const { tree, environment, names } = this.#granted(service, args);
    const filled = fillEnvironment(service, start.environment, {
      ...{ settings, ibPort: args.ibPort },
      read: (name) => args.credentials.read(service, name),
    });
    const secret = Object.entries(filled.secret).map(([name, value]) => [`env/${name}`, value] as const);
    const files: FileTree = { ...tree, ...Object.fromEntries(secret) };
    const writable = Object.entries(start.writable ?? {});
    const kept = writable.flatMap(([path, is]) => ("volume" in is ? [{ owner: volumeHolder(service, is), path }] : []));
    const guests = kept.filter(({ owner }) => owner !== service).map(({ owner }) => uidOf(owner));
    const shares = guests.length > 0 || sharers(service, settings).length > 0;
    const { segments, serves } = serviceSeats(service);
    return {
      image,
      ...this.#command(service, image, start, args),
      user: workloadUser(service),
      ...(guests.length === 0 ? {} : { groups: [...new Set(guests)] }),
      segments: start.egress === true && !segments.includes("egress") ? [...segments, "egress"] : segments,
      serves,
      deploy: start.deploy ?? entry.deploy.mode,
      ...(health === undefined ? {} : { health }),
      ...(start.startPeriod === undefined ? {} : { startPeriod: start.startPeriod }),
      memory: start.memory ?? entry.resources.memory,
      cpuShares: entry.resources.cpuShares,
      pids: start.pids ?? entry.resources.pids,
      environment: {
        ...serviceEnvironment(service, settings, args.ibPort),
        ...(start.home === undefined ? {} : { HOME: start.home, XDG_CACHE_HOME: `${start.home}/.cache` }),
        // The group writes files in a shared volume.
        ...(shares ? { AUTOLLM_UMASK: "002" } : {}),
        ...environment,
        ...filled.plain,
      },
      files: {
        "/run/autollm": {
          "start.sh": startScript,
          "health.sh": healthScript,
          ...(executes ? { "executor-health.sh": executorHealthScript } : {}),
        },
        "/etc/autollm": applicationOf(service, settings).files(settings),
        ...(Object.keys(files).length === 0 ? {} : { "/run/secrets": files }),
      },
      credentials: names,
      // The kill switch stops it, and an `up` in that time leaves it stopped.
      ...(executes ? { hostMounts: [args.killSwitch.mount], mayBeStopped: true } : {}),
      ...(executes ? { claim: this.#claim(service, args) } : {}),
      volumes: [
        ...entry.volumes.map((volume) => ({ ...volume, owner: service })),
        ...kept.map(({ owner, path }) => ({ name: volumeNameOf(owner, path), path, owner })),
      ].map(({ name, path, owner }) => this.#volume(name, owner, path, args).at(path)),
      tmpfs: {
        "/tmp": 64,
        ...Object.fromEntries(writable.flatMap(([path, is]) => ("memory" in is ? [[path, is.memory]] : []))),
      },
      labels: liveLabels(settings.trading, args.credentials.digestKey),
    };
  }

  /** The step before another container of an executor. */
  #claim(service: ServiceName, { target, settings, natsDirectory }: ServicesArgs): Claim {
    return natsClaim({ target, directory: natsDirectory, service, user: storeUser("nats", service, settings) });
  }

  /** The granted credentials as files below /run/secrets, and the variables with their paths. */
  #granted(service: ServiceName, args: ServicesArgs) {
    const files: Record<string, pulumi.Input<string>> = {};
    const environment: Record<string, pulumi.Input<string>> = {};
    const names: string[] = [];
    for (const name of grantedTo(service)) {
      const value = args.credentials.read(service, name);
      if (value === undefined) continue;
      names.push(name);
      const delivery = deliveryOf(name);
      const previous = args.credentials.previous(service, name);
      const asFile = (
        { file, pathEnv }: { readonly file: string; readonly pathEnv: string },
        content: typeof value,
      ) => {
        files[`files/${file}`] = content;
        environment[pathEnv] = `/run/secrets/files/${file}`;
      };
      if ("env" in delivery) {
        files[`env/${delivery.env}`] = value;
        if (previous !== undefined && delivery.previousEnv !== undefined)
          files[`env/${delivery.previousEnv}`] = previous;
        const until = args.credentials.previousUntil(service, name);
        if (until !== undefined && delivery.previousUntilEnv !== undefined)
          environment[delivery.previousUntilEnv] = until;
      } else {
        asFile(delivery, value);
        if (previous !== undefined && delivery.previous !== undefined) asFile(delivery.previous, previous);
      }
    }
    const tree: FileTree = files;
    return { tree, environment, names };
  }
}
