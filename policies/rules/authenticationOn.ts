import { places } from "../lib/places.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { COMMANDS, CONTAINER } from "../lib/types.ts";

/** Settings by which the platform's programs let in every client. */
const OPEN: readonly RegExp[] = [
  /\b(ALLOW_EMPTY_PASSWORD|ALLOW_ANONYMOUS_LOGIN|MYSQL_ALLOW_EMPTY_PASSWORD)=["']?(yes|true|1)\b/i,
  /\bPOSTGRES_HOST_AUTH_METHOD=["']?trust\b/i,
  /\b(GF_AUTH_ANONYMOUS_ENABLED|GF_AUTH_DISABLE_LOGIN)=["']?(true|1)\b/i,
  /\bprotected-mode["'\s=]+no\b/i,
  /^user\s+\S+\s(?=[^\n]*\bon\b)[^\n]*\bnopass\b/im,
  /^host\s+\S+\s+\S+\s+\S+\s+trust\s*$/im,
];

export const authenticationOn: ResourceRule = {
  name: "authentication-on",
  title: "No program is configured to let in every client",
  level: "mandatory",
  severity: "critical",
  why: "If a database has no password, one compromised neighbour is enough to read it.",
  fix: "remove the setting, and give the program a credential",
  types: [CONTAINER, ...COMMANDS],
  *check(subject) {
    for (const { key, name, text } of places(subject)) {
      if (OPEN.some((form) => form.test(text) || form.test(`${name}=${text}`))) {
        yield { key, problem: "switches authentication off" };
      }
    }
  },
};
