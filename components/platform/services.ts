import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { grantedTo } from "../credentials/grants.ts";
import type { FileTree } from "../runtime/files.ts";
import type { ResolvedImage } from "../runtime/images.ts";
import { liveLabels } from "../runtime/live.ts";
import type { PartArgs } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import { answersHttp, Workload, type WorkloadSpec } from "../runtime/workload.ts";
import { serviceSeats } from "../segments.ts";
import type { Settings } from "../settings.ts";
import { workloadUser } from "../uids.ts";
import { isServiceName, type ServiceName, serviceNames, services } from "./catalogue.ts";
import { deliveryOf } from "./delivery.ts";
import { configFiles, serviceEnvironment } from "./environment.ts";
import { STAND_IN_COMMAND } from "./standIn.ts";

export interface ServicesArgs extends PartArgs {
  readonly settings: Settings;
  /** IB Gateway's API port. */
  readonly ibPort: number;
  /** What must be healthy before a service starts, by the name that `needs` uses. */
  readonly dependencies: Readonly<Record<string, pulumi.Resource>>;
}

const START = "/run/autollm/start.sh";

const startScript = readFileSync(new URL("start.sh", import.meta.url), "utf8");

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

  #image(service: ServiceName, args: ServicesArgs): ResolvedImage {
    const release = args.settings.release[service];
    return release === undefined ? args.images.get("reference") : args.images.resolve(service, release.image);
  }

  #spec(service: ServiceName, args: ServicesArgs): WorkloadSpec {
    const entry = services[service];
    const release = args.settings.release[service];
    const image = this.#image(service, args);
    const health = release?.health ?? (entry.port === null ? undefined : answersHttp(entry.port, "/health"));
    const { tree, environment, names } = this.#granted(service, args);
    return {
      image,
      command: ["/bin/sh", START, ...(release?.command ?? STAND_IN_COMMAND)],
      user: workloadUser(service),
      ...serviceSeats(service),
      deploy: entry.deploy.mode,
      ...(health === undefined ? {} : { health }),
      memory: entry.resources.memory,
      cpuShares: entry.resources.cpuShares,
      pids: entry.resources.pids,
      environment: { ...serviceEnvironment(service, args.settings, args.ibPort), ...environment },
      files: {
        "/run/autollm": { "start.sh": startScript },
        "/etc/autollm": configFiles(args.settings),
        ...(names.length === 0 ? {} : { "/run/secrets": tree }),
      },
      credentials: names,
      volumes: entry.volumes.map(({ name, path }) => {
        const owned = { target: args.target, ...volumeOwner(workloadUser(service), args.images) };
        const volume = new StatefulVolume(name, owned, { parent: this });
        this.#volumes.set(name, volume);
        return volume.at(path);
      }),
      tmpfs: { "/tmp": 64 },
      labels: liveLabels(args.settings.trading, args.credentials.digestKey),
    };
  }

  /** The granted credentials as files below /run/secrets, and the variables that tell where they are. */
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
