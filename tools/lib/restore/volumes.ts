import { randomBytes } from "node:crypto";
import type { Daemon } from "../daemon.ts";

/** Where a verified snapshot lies, in the container that verified it. */
export interface Source {
  readonly daemon: Daemon;
  readonly container: string;
  /** Directory of the snapshot's files. */
  readonly directory: string;
}

/** A container's volume, and how to write into it as its owner does. */
export interface Volume {
  readonly daemon: Daemon;
  /** The Docker volume's name. */
  readonly name: string;
  /** `uid:gid` of the workload that owns it. */
  readonly user: string;
  /** Id of the workload's own image. */
  readonly image: string;
}

interface Inspected {
  readonly Image: string;
  readonly Config: { readonly User: string };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string; readonly Destination: string }[];
}

/** The volume that a container has at a path. */
export async function volumeOf(daemon: Daemon, container: string, path: string): Promise<Volume> {
  const [found] = JSON.parse(await daemon.ask("inspect", "--type", "container", container)) as Inspected[];
  const mount = found?.Mounts.find(({ Type, Destination }) => Type === "volume" && Destination === path);
  if (found === undefined || mount?.Name === undefined) throw new Error(`${container} has no volume at ${path}`);
  return { daemon, name: mount.Name, user: found.Config.User, image: found.Image };
}

/** The image of the backup: whatever is in a workload's own, this one has a shell, tar and Node. */
export async function helperImage(daemon: Daemon): Promise<string> {
  return daemon.ask("inspect", "--format", "{{.Image}}", await daemon.container("backup"));
}

/** Docker's arguments of a helper: no privilege, no network but the one named, and one volume. */
export function helper({ user, name }: Volume, { network = "none", readOnly = false } = {}): string[] {
  return [
    ...["run", "--rm", "--network", network, "--read-only", "--user", user, "--cap-drop", "ALL"],
    ...["--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp"],
    ...["--mount", `type=volume,source=${name},target=/volume,volume-nocopy${readOnly ? ",readonly" : ""}`],
  ];
}

/** What is being restored lies here until it is whole. */
export const ASIDE = "/volume/.restoring";

/** Takes an archive from stdin aside. */
export const takeAside = [
  `rm -rf ${ASIDE}`,
  `mkdir -m 0700 -p ${ASIDE}/new`,
  `tar --extract --preserve-permissions --directory ${ASIDE}/new`,
];
/** Puts what lies aside in the place of everything. */
export const putInPlace = [
  `find /volume -mindepth 1 -maxdepth 1 ! -path ${ASIDE} -exec rm -rf {} +`,
  `find ${ASIDE}/new -mindepth 1 -maxdepth 1 -exec mv {} /volume/ \\;`,
  `rm -rf ${ASIDE}`,
];

/** Hands files of the snapshot, as an archive, to a shell script that runs as the volume's owner. */
export async function handOver(
  source: Source,
  what: { readonly directory: string; readonly paths: readonly string[] },
  volume: Volume,
  script: readonly string[],
): Promise<void> {
  const from = ["exec", source.container, "tar", "--create", "--directory", `${source.directory}/${what.directory}`];
  const into = [...helper(volume), "--interactive", "--entrypoint", "/bin/sh", await helperImage(volume.daemon)];
  await source.daemon.pipe([...from, ...what.paths], volume.daemon, [...into, "-euc", script.join("\n")]);
}

/** A name for a container that lives for a moment. */
export function momentary(what: string): string {
  return `${what}-${randomBytes(4).toString("hex")}`;
}
