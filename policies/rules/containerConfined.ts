import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { hasUnknown, texts } from "../lib/value.ts";

/** The options that leave Docker's own profiles in force. */
const HARMLESS = /^no-new-privileges([=:]true)?$|^apparmor[=:]docker-default$|^seccomp[=:]builtin$/i;
const NO_NEW_PRIVILEGES = /^no-new-privileges([=:]true)?$/i;

export const containerConfined: ResourceRule = {
  name: "container-confined",
  title: "A container gains no privileges and keeps Docker's seccomp and AppArmor profiles",
  level: "mandatory",
  severity: "high",
  why: "Without no-new-privileges a set-uid program inside turns any user into root; without the profiles the kernel is exposed to it.",
  fix: 'set securityOpts: ["no-new-privileges:true"]',
  types: [CONTAINER],
  *check({ props: { securityOpts } }) {
    const options = texts(securityOpts);
    if (!hasUnknown(securityOpts) && !options.some((option) => NO_NEW_PRIVILEGES.test(option))) {
      yield { key: "securityOpts", problem: "lacks no-new-privileges" };
    }
    for (const option of options.filter((candidate) => !HARMLESS.test(candidate))) {
      const [name = ""] = option.split(/[=:]/);
      yield { key: "securityOpts", problem: `sets ${name} to a value that no rule knows`, fix: `remove ${name}` };
    }
  },
};
