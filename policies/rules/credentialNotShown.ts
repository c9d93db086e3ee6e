import type { StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { secretValues } from "../lib/secretValues.ts";
import { COMMANDS, CONTAINER, NETWORK, REMOTE_IMAGE, VOLUME } from "../lib/types.ts";
import { record, type Value } from "../lib/value.ts";

/** What a preview, `docker inspect` or the state show of a resource; the rest is secret to the engine. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    COMMANDS.map((type) => [type, ["create", "update", "delete", "environment", "triggers", "dir"]]),
  ),
  [CONTAINER]: ["envs", "command", "entrypoints", "labels", "healthcheck", "hostname", "logOpts", "sysctls", "mounts"],
  [NETWORK]: ["labels", "options"],
  [VOLUME]: ["labels", "driverOpts"],
  [REMOTE_IMAGE]: ["name", "triggers", "pullTriggers"],
};

function* strings(key: string, value: Value): Generator<readonly [string, string]> {
  if (typeof value === "string") yield [key, value];
  else if (Array.isArray(value)) for (const [index, part] of value.entries()) yield* strings(`${key}[${index}]`, part);
  else for (const [part, inner] of Object.entries(record(value))) yield* strings(`${key}.${part}`, inner);
}

function* shown({ type, props }: StackSubject): Generator<readonly [string, string]> {
  for (const key of [...(SHOWN[type] ?? []), "keepers"]) yield* strings(key, props[key]);
}

/** A value as it stands, and as encodings show it. */
const forms = (value: string) => [
  value,
  encodeURIComponent(value),
  Buffer.from(value).toString("base64").replace(/=+$/, ""),
  Buffer.from(value).toString("hex"),
];

export const credentialNotShown: StackRule = {
  name: "credential-not-shown",
  title: "No generated credential is where a preview, the state or Docker shows it",
  level: "mandatory",
  severity: "critical",
  why: "A step's triggers, a random value's keepers and a container's labels are plain text in every preview and in the state.",
  fix: "use a keyed hash of it, or its generation's number, and pass the value itself on stdin",
  *checkStack(subjects): Generator<StackFinding> {
    const secrets = [...secretValues(subjects).keys()].flatMap(forms);
    for (const subject of subjects) {
      for (const [key, text] of shown(subject)) {
        if (secrets.some((secret) => text.includes(secret)))
          yield { subject, key, problem: "holds a generated credential" };
      }
    }
  },
};
