import type { Finding, ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isMissing, isUnknown, list, type Props, record, text } from "../lib/value.ts";

/** What a mount may say, by its kind. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  bind: ["type", "source", "target", "readOnly", "bindOptions"],
  volume: ["type", "source", "target", "readOnly", "volumeOptions"],
};
/** Propagations that expose nothing: what is mounted later on one side stays on that side. */
const PROPAGATION = ["", "rprivate", "private"];

const given = (value: Props) =>
  Object.entries(value).filter(([key, part]) => !key.startsWith("__") && !isMissing(part));

function* checkMount(key: string, mount: Props): Generator<Finding> {
  const type = text(mount.type) ?? "";
  const keys = KEYS[type];
  if (keys === undefined) {
    if (!isUnknown(mount.type)) yield { key: `${key}.type`, problem: "is neither bind nor volume" };
    return;
  }
  for (const [name] of given(mount).filter(([each]) => !keys.includes(each))) {
    yield { key: `${key}.${name}`, problem: "is an option that no rule knows" };
  }
  const { propagation, ...bind } = record(mount.bindOptions);
  if (!isUnknown(propagation) && !PROPAGATION.includes(text(propagation) ?? "")) {
    yield { key: `${key}.bindOptions.propagation`, problem: "lets mounts propagate between host and container" };
  }
  const { noCopy: _, ...volume } = record(mount.volumeOptions);
  for (const [name] of [...given(bind), ...given(volume)]) {
    yield { key: `${key}.${type}Options.${name}`, problem: "is an option that no rule knows" };
  }
  if (type === "volume" && isMissing(mount.source)) {
    yield { key: `${key}.source`, problem: "is missing, so Docker creates an anonymous volume" };
  }
}

export const containerMountsPlain: ResourceRule = {
  name: "container-mounts-plain",
  title: "A mount is a bind of a path or a named volume, without options that expose more",
  level: "mandatory",
  severity: "high",
  why: "A shared mount exposes the container's mounts to the host, and a volume's driver options can mount anything.",
  fix: "remove it: a mount needs type, source, target and readOnly, and a volume may have noCopy",
  types: [CONTAINER],
  *check({ props: { mounts } }) {
    for (const [index, mount] of list(mounts).entries()) {
      if (!isUnknown(mount)) yield* checkMount(`mounts[${index}]`, record(mount));
    }
  },
};
