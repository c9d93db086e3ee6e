import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import semver from "semver";
import { commandLine } from "../../components/configCommand.ts";
import { filesDirectory } from "../../components/filesDirectory.ts";
import type { Settings } from "../../components/settings.ts";
import { Daemon } from "./daemon.ts";
import { canAskHost } from "./keyAgent.ts";
import { say, UserError } from "./log.ts";
import { checkRegistries } from "./registryLogins.ts";
import { readableSettings } from "./stackSettings.ts";
import type { Workspace } from "./workspace.ts";

/** What a Docker daemon says of itself, and what its machine has. */
export interface DaemonFacts {
  /** Newest version of its API, and the oldest that it still answers. */
  readonly api: string;
  readonly minApi: string;
  readonly operatingSystem: string;
  readonly osType: string;
  readonly architecture: string;
  readonly storageDriver: string;
  readonly securityOptions: readonly string[];
  readonly root: string;
  /** Whether the kernel enforces what containers are limited to. */
  readonly limits: { readonly memory: boolean; readonly pids: boolean };
  readonly memoryBytes: number;
  /** Free bytes where the daemon keeps its images and volumes; undefined if that place cannot be asked. */
  readonly freeBytes: number | undefined;
  /** How far its clock is ahead of this machine's, in seconds. */
  readonly aheadSeconds: number;
}

export interface Verdict {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

/** The API that the official docker plugin needs for volumes that take nothing from their image: Docker 26. */
const OFFICIAL_API = "1.45";
/** The API that the built docker plugin speaks at most (tools/bootstrap/engine/patches.ts), and the oldest in which it was tried: Docker 20.10. */
const BUILT_API = { newest: "1.44", oldest: "1.41" };
/** The data root to which the log collector's mount is bound, and that policies/waivers.ts allows. */
const DATA_ROOT = "/var/lib/docker";
/** The first API with an interval of its own for the start of a container: Docker 25. */
const START_INTERVAL_API = "1.44";
const GIB = 1024 ** 3;
/** All containers of a stack at rest take about 3 GiB (docs/performance.md); the images about 3 GiB of disk. */
const MEMORY_GIB = { least: 3, enough: 6 };
const DISK_GIB = { least: 2, enough: 10 };
/** The certificates that the program makes are valid from this machine's present on: a container would refuse them until then. */
const MAX_CLOCK_SECONDS = 60;

/** Compares two versions of Docker's API, `1.45` and the like. */
const older = (a: string, b: string) => semver.lt(semver.coerce(a) ?? "0.0.0", semver.coerce(b) ?? "0.0.0");

/** Whether a daemon of this API checks a container's health more often while it starts: Docker 25 and later. */
export const startsWithChecks = (api: string): boolean => !older(api, START_INTERVAL_API);

const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;

/** What keeps a stack from running on a daemon, and what it would suffer from. Each line says what to do. */
export function judgeDaemon(facts: DaemonFacts, origin: "official" | "built"): Verdict {
  const faults: string[] = [];
  const warnings: string[] = [];
  const { api, minApi, securityOptions, root, memoryBytes, freeBytes } = facts;
  if (facts.osType !== "linux") faults.push(`it runs ${facts.osType} containers: use Docker Engine on Linux`);
  if (!["x86_64", "amd64", "aarch64", "arm64"].includes(facts.architecture))
    faults.push(`its architecture is ${facts.architecture}: the images exist for x86_64 and aarch64`);
  if (/docker desktop/i.test(facts.operatingSystem))
    faults.push("it is Docker Desktop, whose containers do not see this machine's files: use Docker Engine");
  if (root.startsWith("/var/snap/"))
    faults.push("it comes from a snap, which sees no files outside of its own: use Debian's or Docker's own package");
  else if (root !== DATA_ROOT && !securityOptions.some((option) => /name=(rootless|userns)/.test(option)))
    faults.push(
      `its data-root is ${root}, and the log collector reads ${DATA_ROOT}: mount that disk at ${DATA_ROOT} instead`,
    );
  if (securityOptions.some((option) => option.includes("name=rootless")))
    faults.push("it is rootless, so files cannot be given to the containers' users: use a daemon that root runs");
  if (securityOptions.some((option) => option.includes("name=userns")))
    faults.push("it maps users (userns-remap), so files cannot be given to the containers' users: switch that off");
  if (origin === "official" && older(api, OFFICIAL_API))
    faults.push(`its API is ${api}, and the docker plugin needs ${OFFICIAL_API}: update it to Docker 26 or newer`);
  if (origin === "built" && older(api, BUILT_API.oldest))
    faults.push(`its API is ${api}, and ${BUILT_API.oldest} is needed: update it to Docker 20.10 or newer`);
  if (origin === "built" && older(BUILT_API.newest, minApi))
    faults.push(
      `it takes API ${minApi} and newer, and the docker plugin that was built here speaks ${BUILT_API.newest}: install the Pulumi CLI`,
    );
  if (Math.abs(facts.aheadSeconds) > MAX_CLOCK_SECONDS)
    faults.push(
      `its clock is ${Math.round(Math.abs(facts.aheadSeconds) / 60)} min ${facts.aheadSeconds > 0 ? "ahead of" : "behind"} this machine's, so certificates made here would not hold there: set the wrong one by NTP (timedatectl set-ntp true)`,
    );
  if (!facts.limits.memory)
    warnings.push(
      "its kernel does not limit containers' memory: one that leaks takes the host's (kernel option memory cgroup)",
    );
  if (!facts.limits.pids) warnings.push("its kernel does not limit containers' processes (kernel option pids cgroup)");
  if (["vfs", "devicemapper", "aufs"].includes(facts.storageDriver))
    warnings.push(`its storage driver is ${facts.storageDriver}, which is slow and large: use overlay2`);
  if (memoryBytes < MEMORY_GIB.least * GIB)
    faults.push(`its machine has ${gib(memoryBytes)} of memory: ${MEMORY_GIB.enough} GiB are needed`);
  else if (memoryBytes < MEMORY_GIB.enough * GIB)
    warnings.push(`its machine has ${gib(memoryBytes)} of memory: ${MEMORY_GIB.enough} GiB are recommended`);
  if (freeBytes !== undefined && freeBytes < DISK_GIB.least * GIB)
    faults.push(
      `${root} has ${gib(freeBytes)} free: ${DISK_GIB.enough} GiB are needed (docker system df tells what is used)`,
    );
  else if (freeBytes !== undefined && freeBytes < DISK_GIB.enough * GIB)
    warnings.push(`${root} has ${gib(freeBytes)} free: ${DISK_GIB.enough} GiB are recommended (docker system df)`);
  return { faults, warnings };
}

interface Info {
  readonly OperatingSystem: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly Driver: string;
  readonly SecurityOptions: readonly string[] | null;
  readonly DockerRootDir: string;
  readonly MemoryLimit: boolean;
  readonly PidsLimit: boolean;
  readonly MemTotal: number;
  readonly SystemTime: string;
}

/** Asks a daemon about itself; undefined if none answers, as on a host that is still bare. */
async function askDaemon(daemon: Daemon): Promise<DaemonFacts | undefined> {
  const asked = Date.now();
  const [version, info] = await Promise.all([
    daemon.run(["version", "--format", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}}"], { allowFailure: true }),
    daemon.run(["info", "--format", "{{json .}}"], { allowFailure: true }),
  ]);
  if (version.code !== 0 || info.code !== 0) return undefined;
  const [api = "", minApi = ""] = version.stdout.trim().split(" ");
  const told = JSON.parse(info.stdout) as Info;
  // It looked at its clock between the question and the answer.
  const now = (asked + Date.now()) / 2;
  return {
    api,
    minApi,
    operatingSystem: told.OperatingSystem,
    osType: told.OSType,
    architecture: told.Architecture,
    storageDriver: told.Driver,
    securityOptions: told.SecurityOptions ?? [],
    root: told.DockerRootDir,
    limits: { memory: told.MemoryLimit, pids: told.PidsLimit },
    memoryBytes: told.MemTotal,
    freeBytes: daemon.here ? await freeBytes(told.DockerRootDir) : undefined,
    aheadSeconds: (Date.parse(told.SystemTime) - now) / 1000,
  };
}

/** Free bytes of a folder's file system; undefined if this user may not look. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/**
 * Refuses what keeps an update from its end, before anything changes: the Docker daemon's faults, and images that cannot be pulled.
 * A config with faults is left to the program, which tells all of them.
 * @throws UserError with all faults of one kind at once
 */
export async function checkBefore(workspace: Workspace): Promise<void> {
  const settings = await readableSettings(workspace);
  if (settings === undefined) return;
  await checkDaemon(workspace, settings);
  await checkRegistries(workspace, settings);
}

/**
 * Refuses a Docker daemon on which the stack cannot run, and warns of what it would suffer from. Without the key of its host
 * nobody asks it.
 * @throws UserError with all faults at once
 */
async function checkDaemon(workspace: Workspace, settings: Settings): Promise<void> {
  if (!canAskHost(settings)) return;
  const daemon = Daemon.at(workspace.stack, settings);
  const facts = await askDaemon(daemon);
  if (facts === undefined) return;
  const { faults, warnings } = judgeDaemon(facts, workspace.engine.origin);
  for (const warning of warnings) say(`warning: the Docker daemon: ${warning}`);
  const all = [
    ...faults,
    ...(workspace.local && daemon.here ? await neighbourFaults(workspace.stack, daemon, settings) : []),
  ];
  if (all.length > 0) throw new UserError(["this Docker daemon cannot run the stack:", ...all].join("\n  "));
}

/** Whether somebody listens at an address of this machine. */
async function isTaken(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve).listen({ host, port, exclusive: true }, () => resolve(undefined));
  });
  if (error === undefined) await new Promise((done) => server.close(done));
  return error?.code === "EADDRINUSE";
}

/** What other programs and clones on this machine have taken that a local stack needs. */
async function neighbourFaults(stack: string, daemon: Daemon, settings: Settings): Promise<readonly string[]> {
  const files = filesDirectory(settings, stack);
  const listed = async (...filters: readonly string[]) => {
    const args = filters.flatMap((filter) => ["--filter", filter]);
    const lines = (await daemon.ask("ps", "--all", ...args, "--format", "{{.ID}}")).split("\n");
    return lines.filter((line) => line !== "");
  };
  const own = `label=autollm.stack=${stack}`;
  const containers = await listed(own);
  const mounts =
    containers.length === 0
      ? ""
      : await daemon.ask("inspect", "--format", "{{range .Mounts}}{{println .Source}}{{end}}", ...containers);
  // Each container of a stack is known by the stack's name; the files that it mounts are each clone's own.
  if (containers.length > 0 && !mounts.split("\n").some((source) => source.startsWith(`${files}/`)))
    return [
      `it runs a stack ${stack} of another clone already: give this one another name (./autollm up --stack NAME), or take that one down in its own clone`,
    ];
  const faults: string[] = [];
  for (const key of ["httpPort", "httpsPort"] as const) {
    const { bindAddress, [key]: port } = settings;
    if ((await listed(own, `publish=${port}`)).length > 0 || !(await isTaken(bindAddress, port))) continue;
    const option = key.replace("P", "-p");
    faults.push(
      `${key}: port ${port} of ${bindAddress} is taken by another program or stack: choose a free one (${commandLine(stack, `up --${option} N`)})`,
    );
  }
  return faults;
}
