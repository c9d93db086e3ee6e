import { environment, label } from "../lib/labels.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { VOLUME } from "../lib/types.ts";

export const volumeProtected: ResourceRule = {
  name: "volume-protected",
  title: "A volume with state is protected in production",
  level: "mandatory",
  severity: "high",
  why: "A renamed resource or a destroy in the wrong stack would delete the database.",
  fix: "set the option protect: true, or the label autollm.stateful=false if the content can be made again",
  types: [VOLUME],
  *check(subject) {
    if (subject.protect || label(subject, "autollm.stateful") === "false") return;
    if (environment(subject) === "production") yield { key: "protect", problem: "is not true in production" };
  },
};
