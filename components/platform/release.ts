import { z } from "zod";
import { configPath } from "../configCommand.ts";
import { serviceNeeds } from "../credentials/catalogue.ts";
import { grantedTo } from "../credentials/grants.ts";
import { outsideSettings } from "../outside.ts";
import { addressNames, credentialIn } from "./addresses.ts";
import { type ServiceName, type ServiceSpec, serviceNames, services } from "./catalogue.ts";
import { type ReferenceKind, references } from "./references.ts";
import { isStreamName, publishesTo } from "./streams.ts";

/** A reference pinned by digest: what `docker buildx imagetools inspect` prints. */
export const pinnedImage = z
  .string()
  .regex(/^[^@\s]+@sha256:[0-9a-f]{64}$/, "must be pinned by digest: repository@sha256:<64 hex digits>");

const path = z
  .string()
  .regex(
    /^(\/[A-Za-z0-9._-]+)+$/,
    "must be an absolute path inside the container, of letters, digits, `.`, `_` and `-`",
  )
  .refine((value) => !value.split("/").some((part) => part === "." || part === ".."), "must not lead back by . or ..");

const mebibytes = (least: number, most: number) =>
  z.int("must be whole MiB").min(least, `must be ${least} MiB or more`).max(most, `must be ${most} MiB or less`);

/**
 * What an image may write to: memory, which is empty after each start, or a volume, which stays and is in the backup: its own, or
 * the one that another service has at the same path.
 */
const writable = z.union(
  [
    z.strictObject({ memory: mebibytes(1, 65_536) }),
    z.strictObject({ volume: z.union([z.literal(true), z.enum(serviceNames)]) }),
  ],
  "must be {memory: MiB}, {volume: true} or {volume: SERVICE}, which has the volume at the same path",
);

/** Names that control the start itself, or would load code into it. */
const STEERS = /^(PATH|IFS|ENV|BASH_ENV|LD_.*|AUTOLLM_.*)$/;

/** How an image uses NATS beyond the subjects of its service. */
const messagingSchema = z.strictObject({
  /** `standard`: it receives replies at `_INBOX.>`, where all services that do so can read them. Default `own`: at `_INBOX_<service>.>`. */
  inbox: z.enum(["own", "standard"], "must be own or standard").optional(),
  /** Streams that it creates itself. Default: none. */
  streams: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be a stream's name: letters, digits, _ and -"))
    .optional(),
});

export type Messaging = z.infer<typeof messagingSchema>;

/**
 * How a service's image is run. These keys take precedence over the application's table, and the table over the catalogue; only
 * `image` has no value there.
 */
export const startSchema = z.strictObject({
  /** The whole command line. Default: the image's own entry point and command. */
  command: z.array(z.string()).min(1, "must name a program").optional(),
  /** Command line inside the container that ends with 0 if the service can serve. Default: asks for `/health`. */
  health: z.array(z.string()).min(1, "must name a program").optional(),
  /** Variables by name; see references.ts for the references `${…}` in a value. */
  environment: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be a variable's name: letters, digits and _")
        .refine((name) => !STEERS.test(name), "controls how the program is started, and cannot be set"),
      z.string(),
    )
    .optional(),
  /** Paths inside the container that it may write to; everything else is read-only. Default: 64 MiB of memory at `/tmp`. */
  writable: z.record(path, writable).optional(),
  /** Its home directory, at or below a path that it may write to. Default: the image's own if it is writable, else `/tmp`. */
  home: path.optional(),
  /** Whether a batch job may call the internet; for a service that is kept running the catalogue says it. Default: the catalogue's. */
  egress: z.boolean().optional(),
  /** Hard limit, MiB. */
  memory: mebibytes(16, 1_048_576).optional(),
  /** Most processes and threads. */
  pids: z.int("must be a whole number").min(2, "must be 2 or more").max(32_768, "must be 32768 or less").optional(),
  /** Seconds until a failing health check counts. */
  startPeriod: z.int("must be whole seconds").min(1, "must be 1 or more").max(3600, "must be 3600 or less").optional(),
  messaging: messagingSchema.optional(),
  /** How a deploy replaces it; an executor is always recreated. */
  deploy: z.enum(["rolling", "recreate"]).optional(),
});

/**
 * The entry point and command that an image had when its digest was pinned (`./autollm pin`): a preview shows them, and an
 * image with different ones is refused.
 */
const recordedSchema = z.strictObject({ entrypoint: z.array(z.string()), command: z.array(z.string()) });

export type RecordedStart = z.infer<typeof recordedSchema>;

/** `release.NAME` of the stack's config. */
export const releaseSchema = startSchema.extend({ image: pinnedImage, recorded: recordedSchema.optional() });

/** How an image is run, by a table or the config. */
export type Start = z.infer<typeof startSchema>;

/** The names that start.sh accepts for a value that is passed as a file. */
const SECRET_NAME = /^(?!HOME$|NODE_|PYTHON)[A-Z][A-Z0-9_]*$/;

const known: Readonly<Record<ReferenceKind, (service: ServiceName) => readonly string[]>> = {
  credential: grantedTo,
  file: grantedTo,
  address: addressNames,
  setting: () => Object.keys(outsideSettings),
};

const wrong: Readonly<Record<ReferenceKind, string>> = {
  credential: "a credential that the service is not granted",
  file: "a credential that the service is not granted",
  address: "not an address of a component that the service needs",
  setting: "no setting that a variable may name",
};

/** What is wrong with a variable of a service. */
function variableFaults(service: ServiceName, name: string, value: string): string[] {
  const found = references(value);
  if (typeof found === "string") return [found];
  if (found.some((reference) => credentialIn(service, reference) !== undefined) && !SECRET_NAME.test(name))
    return [
      "cannot hold a credential: such a variable's name has A-Z, 0-9 and _, and is neither HOME nor one of NODE_ and PYTHON",
    ];
  return found
    .filter((reference) => !known[reference.kind](service).includes(reference.name))
    .map((reference) => {
      const names = known[reference.kind](service);
      const may = names.length === 0 ? "it may name none" : `it may name ${names.join(", ")}`;
      return `refers to ${reference.kind}:${reference.name}, ${wrong[reference.kind]}; ${may}`;
    });
}

/** A key below `release.NAME`, and what is wrong there. */
type Fault = readonly [key: string, problem: string];

/** What is wrong with how a service is to be started. */
export function startFaults(service: ServiceName, start: Start): Fault[] {
  const { deploy, volumes }: ServiceSpec = services[service];
  const faults = Object.entries(start.environment ?? {}).flatMap(([name, value]) =>
    variableFaults(service, name, value).map((problem): Fault => [`environment.${name}`, problem]),
  );
  if (start.deploy === "rolling" && deploy.mode === "recreate")
    faults.push(["deploy", `must not be rolling: ${deploy.why}`]);
  if (start.deploy !== undefined && deploy.mode === "on-demand")
    faults.push(["deploy", `cannot be set: it is ${deploy.why}`]);
  if (Object.keys(start.messaging ?? {}).length > 0 && !serviceNeeds(service, "nats"))
    faults.push(["messaging", "cannot be set: the service does not use NATS"]);
  for (const name of start.messaging?.streams ?? [])
    if (isStreamName(name) && !publishesTo(service, name))
      faults.push([
        "messaging.streams",
        `names ${name}, a stream of the platform to which the service does not publish`,
      ]);
  if (start.egress !== undefined && deploy.mode !== "on-demand")
    faults.push([
      "egress",
      "cannot be set: for a service that is kept running, the catalogue says whether it calls the internet",
    ]);
  const { home } = start;
  const homes = ["/tmp", ...Object.keys(start.writable ?? {}), ...volumes.map((each) => each.path)];
  if (home !== undefined && !homes.some((each) => home === each || home.startsWith(`${each}/`)))
    faults.push(["home", `is in none of the paths that it may write to: ${homes.join(", ")}`]);
  const taken = ["/run/autollm", "/run/secrets", "/etc/autollm", ...volumes.map((each) => each.path)];
  const paths = Object.keys(start.writable ?? {});
  for (const [index, each] of paths.entries()) {
    const outer = paths.find((path) => each.startsWith(`${path}/`));
    if (outer !== undefined) faults.push([`writable.${each}`, `is in ${outer}, which is writable already`]);
    const twin = paths.slice(0, index).find((path) => volumeNameOf(service, path) === volumeNameOf(service, each));
    if (twin !== undefined) faults.push([`writable.${each}`, `would have the volume of ${twin}: choose another path`]);
    const other = taken.find((mine) => mine === each || mine.startsWith(`${each}/`) || each.startsWith(`${mine}/`));
    if (other !== undefined) faults.push([`writable.${each}`, `is ${other}, which the platform mounts`]);
  }
  return faults;
}

/**
 * What is wrong with volumes that services share.
 * @param declared how each service is started if its image is the application's
 */
export function sharingFaults(declared: ReadonlyMap<ServiceName, Start>): (readonly [ServiceName, ...Fault])[] {
  return [...declared].flatMap(([service, { writable = {} }]) =>
    Object.entries(writable).flatMap(([at, is]) => {
      if (!("volume" in is) || is.volume === true) return [];
      const theirs = declared.get(is.volume)?.writable?.[at];
      if (is.volume !== service && theirs !== undefined && "volume" in theirs && theirs.volume === true) return [];
      const problem = `names the volume of ${is.volume} at this path, which has no volume there: ${configPath(["release", is.volume, "writable", at])} must be {volume: true}`;
      return [[service, `writable.${at}`, problem] as const];
    }),
  );
}

/** The service whose volume is at a path that another may write to: its own, or that of the service that it names. */
export const volumeHolder = (service: ServiceName, is: { readonly volume: true | ServiceName }): ServiceName =>
  is.volume === true ? service : is.volume;

/** The prefix of the names of applications' own volumes; no volume of the platform has it. */
const OWN_VOLUME = "app-";

/** The volume of a path that a service may write to. */
export const volumeNameOf = (service: ServiceName, path: string): string =>
  `${OWN_VOLUME}${service}${path.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;

/** The service whose own volume has a name; undefined for any other volume. */
export function ownerOfVolume(volume: string): ServiceName | undefined {
  return serviceNames.find((service) => volume.startsWith(`${OWN_VOLUME}${service}-`));
}
