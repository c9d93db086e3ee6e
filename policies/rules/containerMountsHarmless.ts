import { service } from "../lib/labels.ts";
import { FILES_DIRECTORY, type HostMount, hostMounts } from "../lib/mounts.ts";
import type { Finding, ResourceRule, Subject } from "../lib/rule.ts";
import { CONTAINER, VOLUME } from "../lib/types.ts";
import { isMissing, list, record, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-mounts-harmless";
const VOLUME_OF_DOCKER =
  "give the volume no driver and no options: with them it is a directory of the host, or of another one, by another name";

/** Whether a path is a workload's own files, in the one spelling that can lead nowhere else. */
function isOwnFiles({ written, source }: HostMount, workload: string): boolean {
  return written === source && FILES_DIRECTORY.exec(source)?.[1] === workload;
}

function* judgeHostMounts(subject: Subject): Generator<Finding> {
  const workload = service(subject);
  for (const mount of hostMounts(subject)) {
    const { key, written, source, readOnly } = mount;
    if (!isOwnFiles(mount, workload) && !waived(NAME, workload, written)) {
      const led = written === source ? "" : `, which leads to ${source}`;
      yield { key, problem: `is ${written} of the host${led}` };
    } else if (!readOnly) {
      yield { key, problem: "is writable", mend: "set readOnly: true: what is of the host is only read" };
    }
  }
}

/** What the options of a mount make of it. */
function* judgeOptions({ props }: Subject): Generator<Finding> {
  for (const [index, element] of list(props.mounts).entries()) {
    const { volumeOptions, bindOptions } = record(element);
    for (const option of ["driverName", "driverOptions"]) {
      const value = record(volumeOptions)[option];
      if (
        isMissing(value) ||
        value === "local" ||
        (Object.keys(record(value)).length === 0 && text(value) === undefined)
      )
        continue;
      yield {
        key: `mounts[${index}].volumeOptions.${option}`,
        problem: "makes a volume of something else",
        mend: VOLUME_OF_DOCKER,
      };
    }
    const propagation = text(record(bindOptions).propagation);
    if (propagation !== undefined && !["", "private", "rprivate"].includes(propagation)) {
      yield {
        key: `mounts[${index}].bindOptions.propagation`,
        problem: `is ${propagation}: what the host mounts later comes along`,
        mend: "remove it",
      };
    }
  }
}

function* judgeVolume({ props }: Subject): Generator<Finding> {
  const driver = text(props.driver);
  if (driver !== undefined && driver !== "" && driver !== "local")
    yield { key: "driver", problem: `is ${driver}`, mend: VOLUME_OF_DOCKER };
  for (const option of Object.keys(record(props.driverOpts)))
    yield { key: `driverOpts.${option}`, problem: "is set", mend: VOLUME_OF_DOCKER };
}

export const containerMountsHarmless: ResourceRule = {
  name: NAME,
  title: "A container mounts its own files and Docker's volumes, and nothing else of the host",
  level: "mandatory",
  severity: "high",
  why: "A mount is a way around the container's walls, and a directory brings along all that lies in it: neighbours' secrets, the socket that owns the host, other processes.",
  mend: "mount a named volume or the workload's own files, or list the path, exactly as it is written, with its reason in policies/waivers.ts",
  types: [CONTAINER, VOLUME],
  *check(subject) {
    if (subject.type === VOLUME) yield* judgeVolume(subject);
    else {
      yield* judgeHostMounts(subject);
      yield* judgeOptions(subject);
    }
  },
};
