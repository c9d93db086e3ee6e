import type { Subject } from "./rule.ts";
import { isUnknown, list, record, text, type Value } from "./value.ts";

/** A mount that is no directory of the host. */
export interface VolumeMount {
  /** `mounts[1].source`. */
  readonly key: string;
  /** Docker's name of the volume; undefined where only the update will know it. */
  readonly source: string | undefined;
  /** Whether nothing is written. What is unknown counts as so. */
  readonly readOnly: boolean;
}

const isTrue = (value: Value) => value === true || isUnknown(value);

/** The named volumes that a container mounts. */
export function volumeMounts({ props }: Subject): readonly VolumeMount[] {
  return list(props.mounts).flatMap((element, index) => {
    const mount = record(element);
    const source = text(mount.source);
    if (mount.type !== "volume" || source?.startsWith("/") === true) return [];
    return [{ key: `mounts[${index}].source`, source, readOnly: isTrue(mount.readOnly) }];
  });
}
