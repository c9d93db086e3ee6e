import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-user-not-root";

export const containerUserNotRoot: ResourceRule = {
  name: NAME,
  title: "A container runs as a numeric user other than root",
  level: "mandatory",
  severity: "high",
  why: "Root in a container is root on the host for the kernel; a name is looked up in a file of the image, which may say 0.",
  mend: 'set user to a numeric "uid:gid" above 0',
  types: [CONTAINER],
  *check(subject) {
    const { user } = subject.props;
    if (isUnknown(user)) return;
    const uid = (text(user) ?? "").split(":")[0] ?? "";
    if (/^0*[1-9]\d*$/.test(uid)) return;
    const root = /^0+$/.test(uid) || uid === "root" || uid === "";
    if (root && waived(NAME, service(subject), "0")) return;
    yield { key: "user", problem: uid === "" ? "is not set" : root ? "is root" : "is not a number" };
  },
};
