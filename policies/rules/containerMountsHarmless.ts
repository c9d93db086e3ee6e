import { service } from "../lib/labels.ts";
import { ENGINE_SOCKET, FILES_DIRECTORY, hostMounts, normalised } from "../lib/mounts.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER, VOLUME } from "../lib/types.ts";
import { record, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-mounts-harmless";
/** Directories that hold the host's own programs, settings, devices, users or secrets, with all that is in them. */
const SENSITIVE =
  "/bin /boot /dev /etc /home /lib /lib64 /opt /proc /root /run /sbin /srv /sys /usr /var/backups /var/lib/docker /var/lib/containerd /var/log /var/run /var/spool".split(
    " ",
  );
/** The directories above them: whoever mounts one has all of the above. */
const PARENTS = ["/", "/var", "/var/lib"];

function isSensitive(source: string): boolean {
  return PARENTS.includes(source) || SENSITIVE.some((path) => source === path || source.startsWith(`${path}/`));
}

export const containerMountsHarmless: ResourceRule = {
  name: NAME,
  title: "A container mounts no sensitive directory of the host",
  level: "mandatory",
  severity: "high",
  why: "A mount is a way around the container's walls: /etc changes users, /proc and /sys the kernel, /root and /home hold keys.",
  mend: "mount a named volume or the workload's own files, or list the path with its reason in policies/waivers.ts",
  types: [CONTAINER, VOLUME],
  *check(subject) {
    if (subject.type === VOLUME) {
      // A local volume with a device is a bind mount by another name.
      const device = text(record(subject.props.driverOpts).device);
      if (device?.startsWith("/") && isSensitive(normalised(device))) {
        yield { key: "driverOpts.device", problem: `is ${device} of the host` };
      }
      return;
    }
    for (const { key, source, readOnly } of hostMounts(subject)) {
      if (FILES_DIRECTORY.test(source)) {
        if (!readOnly)
          yield { key, problem: "is writable", mend: "set readOnly: true: files are replaced, not written" };
      } else if (isSensitive(source) && !ENGINE_SOCKET.test(source)) {
        const allowed = waived(NAME, service(subject), source);
        if (!allowed) yield { key, problem: `is ${source} of the host` };
        else if (!readOnly) yield { key, problem: `is ${source} of the host and writable`, mend: "set readOnly: true" };
      }
    }
  },
};
