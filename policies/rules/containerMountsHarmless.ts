import { executors } from "../../components/platform/catalogue.ts";
import { service } from "../lib/labels.ts";
import { FILES_DIRECTORY, type HostMount, hostMounts, isKillSwitch } from "../lib/mounts.ts";
import type { Finding, ResourceRule, Subject } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { waived } from "../waivers.ts";

const NAME = "container-mounts-harmless";

/** The workloads that see the kill switch besides the executors: NATS obeys it, node-exporter shows it. */
const SEES_KILL_SWITCH: readonly string[] = [...executors, "nats", "node-exporter"];

/** Whether a path is a workload's own files, in the one spelling that can lead nowhere else. */
function isOwnFiles({ written, source }: HostMount, workload: string): boolean {
  return written === source && FILES_DIRECTORY.exec(source)?.[1] === workload;
}

function* check(subject: Subject): Generator<Finding> {
  const workload = service(subject);
  for (const mount of hostMounts(subject)) {
    const { key, written, source, readOnly } = mount;
    const isSwitch = SEES_KILL_SWITCH.includes(workload) && isKillSwitch(written);
    if (!isOwnFiles(mount, workload) && !isSwitch && !waived(NAME, workload, written)) {
      const led = written === source ? "" : `, which leads to ${source}`;
      yield { key, problem: `is ${written} of the host${led}` };
    } else if (!readOnly) {
      yield { key, problem: "is writable", fix: "set readOnly: true: the host's files are only read" };
    }
  }
}

export const containerMountsHarmless: ResourceRule = {
  name: NAME,
  title: "A container mounts its own files and Docker's volumes, and nothing else of the host but the kill switch",
  level: "mandatory",
  severity: "high",
  why: "A mount bypasses the container's isolation, and a directory brings along everything in it: other containers' secrets, Docker's socket, other processes.",
  fix: "mount a named volume or the workload's own files, or list the path, exactly as it is written, with its reason in policies/waivers.ts",
  types: [CONTAINER],
  check,
};
