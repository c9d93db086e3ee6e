import { randomBytes } from "node:crypto";
import type { Daemon } from "../daemon.ts";

/** A verified snapshot, which the container that verified it decrypts piece by piece: nothing of it is in plain text anywhere. */
export interface Source {
  readonly daemon: Daemon;
  readonly container: string;
  /** The snapshot's id. */
  readonly snapshot: string;
}

/** Docker's arguments that write a piece of the snapshot: the bytes of a file, or a folder as an archive. */
export const piece = ({ container, snapshot }: Source, what: "cat" | "unpack", path: string) => [
  ...["exec", container, "node", "/app/backup.mjs", what, snapshot, path],
];

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

/**
 * The volume of a stack by the name of its resource, to which Docker's adds seven hex digits, and who owns it.
 * @param containers those that may mount it
 * @returns undefined where none of them does
 */
export async function volumeNamed(
  daemon: Daemon,
  containers: readonly string[],
  resource: string,
  user: string,
): Promise<Volume | undefined> {
  const inspected = JSON.parse(await daemon.ask("inspect", "--type", "container", ...containers)) as Inspected[];
  for (const { Image, Mounts } of inspected)
    for (const { Type, Name = "" } of Mounts)
      if (Type === "volume" && Name.replace(/-[0-9a-f]{7}$/, "") === resource)
        return { daemon, name: Name, user, image: Image };
  return undefined;
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

const emptyAside = [`rm -rf ${ASIDE}`, `mkdir -m 0700 -p ${ASIDE}/new`];
/** Takes what comes on stdin aside. */
const takeAside = {
  cat: (path: string) => [...emptyAside, "umask 027", `cat > ${ASIDE}/new/${path}`],
  unpack: () => [...emptyAside, `tar --extract --preserve-permissions --directory ${ASIDE}/new`],
};
/** Puts what lies aside in the place of everything. */
export const putInPlace = [
  `find /volume -mindepth 1 -maxdepth 1 ! -path ${ASIDE} -exec rm -rf {} +`,
  `find ${ASIDE}/new -mindepth 1 -maxdepth 1 -exec mv {} /volume/ \\;`,
  `rm -rf ${ASIDE}`,
];

/** Hands a piece of the snapshot to a shell script that runs as the volume's owner, and finds it aside. */
export async function handOver(
  source: Source,
  what: "cat" | "unpack",
  path: string,
  volume: Volume,
  script: readonly string[],
): Promise<void> {
  const into = [...helper(volume), "--interactive", "--entrypoint", "/bin/sh", await helperImage(volume.daemon)];
  const lines = [...takeAside[what](path), ...script];
  await source.daemon.pipe(piece(source, what, path), volume.daemon, [...into, "-euc", lines.join("\n")]);
}

/** A name for a container that lives for a moment. */
export function momentary(what: string): string {
  return `${what}-${randomBytes(4).toString("hex")}`;
}
