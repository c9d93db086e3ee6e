import { isCredentialName } from "../../components/credentials/catalogue.ts";
import { suppliedFault } from "../../components/credentials/supplied.ts";
import { own, stackConfig } from "../lib/own.ts";
import type { StackFinding, StackRule } from "../lib/rule.ts";
import { STACK } from "../lib/types.ts";

const PROJECT = "autollm:";

export const suppliedCredentialStrong: StackRule = {
  name: "supplied-credential-strong",
  title: "A credential in the stack's config is not a default, long enough and hard to guess",
  level: "mandatory",
  severity: "critical",
  why: "If a password reaches the resources as a hash, such as the edge's login, its strength cannot be judged there.",
  fix: "set a strong one, or remove it and let the stack generate one: ./autollm pulumi config rm NAME",
  *checkStack(subjects): Generator<StackFinding> {
    const subject = subjects.find(({ type }) => type === STACK) ?? subjects[0];
    if (subject === undefined) return;
    for (const [fullKey, value] of Object.entries(stackConfig())) {
      const name = fullKey.slice(PROJECT.length);
      if (!fullKey.startsWith(PROJECT) || !isCredentialName(name)) continue;
      const problem = suppliedFault(name, value, own());
      if (problem !== undefined) yield { subject, key: `the config's ${name}`, problem };
    }
  },
};
