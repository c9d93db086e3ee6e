import { posix } from "node:path";
import type { Subject } from "./rule.ts";
import { isUnknown, list, record, text, type Value } from "./value.ts";

/** A directory or file of the host inside a container. */
export interface HostMount {
  /** `mounts[1].source`. */
  readonly key: string;
  /** Normalised path on the host. */
  readonly source: string;
  readonly readOnly: boolean;
}

/** Paths compare only in one spelling: `/etc/../run//` is `/run`. */
export function normalised(path: string): string {
  const plain = posix.normalize(path);
  return plain.length > 1 ? plain.replace(/\/$/, "") : plain;
}

const isTrue = (value: Value) => value === true || isUnknown(value);

/** The host paths that a container mounts, by either of the provider's two ways. */
export function hostMounts({ props }: Subject): readonly HostMount[] {
  const mounts = list(props.mounts).flatMap((element, index) => {
    const mount = record(element);
    const source = text(mount.source);
    if (source === undefined || (mount.type !== "bind" && !source.startsWith("/"))) return [];
    return [{ key: `mounts[${index}].source`, source: normalised(source), readOnly: isTrue(mount.readOnly) }];
  });
  const volumes = list(props.volumes).flatMap((element, index) => {
    const volume = record(element);
    const named = text(volume.volumeName) ?? "";
    const source = text(volume.hostPath) ?? (named.startsWith("/") ? named : undefined);
    if (source === undefined) return [];
    return [{ key: `volumes[${index}].hostPath`, source: normalised(source), readOnly: isTrue(volume.readOnly) }];
  });
  return [...mounts, ...volumes];
}

/** The socket of a container engine. */
export const ENGINE_SOCKET = /(docker|containerd|podman|crio|buildkitd)[^/]*\.sock$/i;

/** The directory of a workload's own files: `…/NAME-files-<digest>`, or `…/NAME-files-live` where it takes them without a restart. */
export const FILES_DIRECTORY = /\/([a-z0-9][a-z0-9.-]*)-files-(?:[0-9a-f]{16}|live)(?=\/|$)/;
