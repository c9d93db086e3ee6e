import { posix } from "node:path";
import { isKillSwitchDirectory } from "../../components/platform/killSwitch.ts";
import type { Subject } from "./rule.ts";
import { isUnknown, list, record, text, type Value } from "./value.ts";

/** A directory or file of the host inside a container. */
export interface HostMount {
  /** `mounts[1].source`. */
  readonly key: string;
  /** As the program writes it. */
  readonly written: string;
  /** The path on the host that it leads to. */
  readonly source: string;
  readonly readOnly: boolean;
}

/** Paths compare only in one spelling: `/etc/../run//` is `/run`. */
function normalised(path: string): string {
  const plain = posix.normalize(path);
  return plain.length > 1 ? plain.replace(/\/$/, "") : plain;
}

/** Links that every host has, each to the place where it leads. */
const LINKS: readonly (readonly [RegExp, string])[] = [
  // The root directory, or the current one, of a process: the first one's is the host's.
  [/^\/proc\/[^/]+(?:\/task\/[^/]+)?\/(?:root|cwd)(?=\/|$)/, "/"],
  [/^\/dev\/fd(?=\/|$)/, "/proc/self/fd"],
  [/^\/var\/(run|lock)(?=\/|$)/, "/run/$1"],
  [/^\/run\/run(?=\/|$)/, "/run"],
  [/^\/(bin|sbin|lib|lib32|lib64|libx32)(?=\/|$)/, "/usr/$1"],
];

/** Where a path of the host leads, past the links that every host has. */
export function leadsTo(path: string): string {
  const plain = normalised(path);
  const followed = LINKS.reduce((at, [link, place]) => at.replace(link, place), plain);
  return followed === plain ? plain : leadsTo(followed);
}

/** Whether a directory is another one, or has it somewhere in it. */
export function contains(directory: string, path: string): boolean {
  return directory === path || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

const isTrue = (value: Value) => value === true || isUnknown(value);

/** The host paths that a container mounts, by either of the provider's two ways. */
export function hostMounts({ props }: Subject): readonly HostMount[] {
  const mounts = list(props.mounts).flatMap((element, index) => {
    const mount = record(element);
    const written = text(mount.source);
    if (written === undefined || (mount.type !== "bind" && !written.startsWith("/"))) return [];
    const source = leadsTo(written);
    return [{ key: `mounts[${index}].source`, written, source, readOnly: isTrue(mount.readOnly) }];
  });
  const volumes = list(props.volumes).flatMap((element, index) => {
    const volume = record(element);
    const named = text(volume.volumeName) ?? "";
    const written = text(volume.hostPath) ?? (named.startsWith("/") ? named : undefined);
    if (written === undefined) return [];
    const source = leadsTo(written);
    return [{ key: `volumes[${index}].hostPath`, written, source, readOnly: isTrue(volume.readOnly) }];
  });
  return [...mounts, ...volumes];
}

/** The socket of a container runtime. */
export const RUNTIME_SOCKET = /(docker|containerd|podman|crio|buildkitd)[^/]*\.sock$/i;

/** The sockets of container runtimes: a container that mounts a directory has everything in it. */
const SOCKETS = [
  "/run/docker.sock",
  "/run/docker/containerd/containerd.sock",
  "/run/containerd/containerd.sock",
  "/run/podman/podman.sock",
  "/run/crio/crio.sock",
  "/run/buildkit/buildkitd.sock",
  "/run/user/1000/docker.sock",
];

/** Whether a path is a container runtime's socket, or a directory that contains one. */
export function holdsEngineSocket(source: string): boolean {
  return RUNTIME_SOCKET.test(source) || SOCKETS.some((socket) => contains(source, socket));
}

/** The directory of a workload's own files: `…/NAME-files-<digest>`, or `…/NAME-files-live` if they are hot-reloaded. */
export const FILES_DIRECTORY = /\/([a-z0-9][a-z0-9.-]*)-files-(?:[0-9a-f]{16}|live)(?=\/|$)/;

/** Whether a mount's source is a stack's kill switch, which says that orders are stopped, and why. */
export function isKillSwitch(source: Value): boolean {
  const path = text(source);
  return path !== undefined && leadsTo(path) === path && isKillSwitchDirectory(path);
}
