import { service } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-user-not-root";

const isNumberAboveZero = (id: string) => /^0*[1-9]\d*$/.test(id);
const isRootGroup = (gid: string) => /^0*$/.test(gid) || gid === "root";

export const containerUserNotRoot: ResourceRule = {
  name: NAME,
  title: "A container runs as a numeric user and group other than root",
  level: "mandatory",
  severity: "high",
  why: "For the kernel, root in a container is root on the host, and so is root's group. A name would be looked up in a file of the image.",
  fix: 'set user to a numeric "uid:gid" above 0',
  types: [CONTAINER],
  *check(subject) {
    const { user } = subject.props;
    if (isUnknown(user)) return;
    const [uid = "", gid = ""] = (text(user) ?? "").split(":");
    const root = /^0+$/.test(uid) || uid === "root" || uid === "";
    if (!isNumberAboveZero(uid) && !(root && waived(NAME, service(subject), "0"))) {
      yield { key: "user", problem: uid === "" ? "is not set" : root ? "is root" : "is not a number" };
    } else if (!isNumberAboveZero(gid) && !(isRootGroup(gid) && waived(NAME, service(subject), "gid 0"))) {
      // Without a group it is the image's for the user, or root's.
      yield { key: "user", problem: isRootGroup(gid) ? "has the group root" : "has a group that is not a number" };
    }
  },
};
