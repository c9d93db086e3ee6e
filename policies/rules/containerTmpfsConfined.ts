import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { isUnknown, record, text } from "../lib/value.ts";

const DEMANDED = ["noexec", "nosuid", "nodev"];
/** The other options that are known: what may be written, how much of it, and whose it is. */
const KNOWN = /^(rw|ro|noatime|(size|mode|uid|gid|nr_inodes|nr_blocks)=[\w%]+)$/;

export const containerTmpfsConfined: ResourceRule = {
  name: "container-tmpfs-confined",
  title: "A container cannot run files from its tmpfs, nor use them as devices",
  level: "mandatory",
  severity: "high",
  why: "A read-only root is useless if tools can be left and run in /tmp.",
  fix: `set the options ${DEMANDED.join(",")}, and no exec, suid or dev`,
  types: [CONTAINER],
  *check({ props: { tmpfs } }) {
    for (const [path, value] of Object.entries(record(tmpfs))) {
      if (isUnknown(value)) continue;
      const options = (text(value) ?? "").split(",").map((option) => option.trim().toLowerCase());
      const missing = DEMANDED.filter((option) => !options.includes(option));
      if (missing.length > 0) yield { key: `tmpfs.${path}`, problem: `lacks ${missing.join(", ")}` };
      const strange = options.filter((option) => option !== "" && !DEMANDED.includes(option) && !KNOWN.test(option));
      if (strange.length > 0) yield { key: `tmpfs.${path}`, problem: `has ${strange.join(", ")}` };
    }
  },
};
