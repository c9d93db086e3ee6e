import { places } from "../lib/places.ts";
import { plainSecrets } from "../lib/plainSecrets.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { COMMANDS } from "../lib/types.ts";

const SHOWN = /^(create|update|delete|environment|triggers|interpreter|dir|remotePath|localPath)\b/;

export const commandNoPlainSecret: ResourceRule = {
  name: "command-no-plain-secret",
  title: "A command's script, environment and triggers hold no secret",
  level: "mandatory",
  severity: "critical",
  why: "If a command fails, the engine prints it in full; while it runs, every user of the machine sees its arguments.",
  fix: "pass it on stdin, as a secret",
  types: COMMANDS,
  check(subject) {
    return places(subject)
      .filter(({ key }) => SHOWN.test(key))
      .flatMap((place) => plainSecrets(place, "script"));
  },
};
