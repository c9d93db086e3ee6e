import { grantedTo } from "../../components/credentials/grants.ts";
import { credentialsOfFile } from "../lib/credentialFiles.ts";
import { labelList, service } from "../lib/labels.ts";
import { FILES_DIRECTORY, hostMounts } from "../lib/mounts.ts";
import { type PayloadFile, payloadFiles } from "../lib/payload.ts";
import type { Finding, StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { secretValues } from "../lib/secretValues.ts";
import { COMMANDS, CONTAINER } from "../lib/types.ts";
import { text } from "../lib/value.ts";

const LABEL = "labels autollm.credentials";

/** The files that a container mounts, from the command that wrote their directory. */
function mountedFiles(container: StackSubject, subjects: readonly StackSubject[]): readonly PayloadFile[] {
  const directories = hostMounts(container).flatMap(({ source }) => {
    const match = FILES_DIRECTORY.exec(source);
    return match === null ? [] : [source.slice(0, match.index + match[0].length)];
  });
  return [...new Set(directories)].flatMap((directory) => {
    const writer = subjects.find(
      ({ type, props }) =>
        (COMMANDS as readonly string[]).includes(type) && text(props.create)?.includes(`'${directory}'`),
    );
    return payloadFiles(text(writer?.props.stdin) ?? "") ?? [];
  });
}

function* check(
  container: StackSubject,
  subjects: readonly StackSubject[],
  secrets: ReturnType<typeof secretValues>,
): Generator<Finding> {
  const reader = service(container);
  const granted: readonly string[] = grantedTo(reader);
  const declared = labelList(container, "autollm.credentials") ?? [];
  for (const name of declared.filter((candidate) => !granted.includes(candidate))) {
    yield { key: LABEL, problem: `has ${name}, which ${reader} is not granted` };
  }
  for (const { key, source } of hostMounts(container)) {
    const owner = FILES_DIRECTORY.exec(source)?.[1];
    if (owner !== undefined && owner !== reader) yield { key, problem: `is the directory of ${owner}'s files` };
  }
  for (const file of mountedFiles(container, subjects)) {
    const possible = credentialsOfFile(file);
    const mine = possible.filter((name) => granted.includes(name));
    if (possible.length > 0 && mine.length === 0) {
      yield {
        key: `file ${file.path}`,
        problem: `is the credential ${possible.join(" or ")}, which ${reader} is not granted`,
      };
    } else if (possible.length > 0 && !mine.some((name) => declared.includes(name))) {
      yield {
        key: LABEL,
        problem: `lacks ${mine.join(" or ")}, which the file ${file.path} holds`,
        fix: "declare it among the workload's credentials",
      };
    }
    for (const [value, name] of secrets) {
      if (file.content.includes(value) && (name === undefined || !granted.includes(name))) {
        yield {
          key: `file ${file.path}`,
          problem: `holds ${name ?? "a key of the stack's own"}, which ${reader} is not granted`,
        };
      }
    }
  }
}

export const credentialGrants: StackRule = {
  name: "credential-grants",
  title: "No container holds a credential that its service is not granted",
  level: "mandatory",
  severity: "critical",
  why: "The grant table protects only if it is applied: this compares it with the files that each container really mounts.",
  fix: "remove it from the workload, or grant it in components/credentials",
  *checkStack(subjects): Generator<StackFinding> {
    const secrets = secretValues(subjects);
    for (const subject of subjects.filter(({ type }) => type === CONTAINER)) {
      const told = new Set<string>();
      for (const finding of check(subject, subjects, secrets)) {
        const sentence = `${finding.key} ${finding.problem}`;
        if (!told.has(sentence)) yield { ...finding, subject };
        told.add(sentence);
      }
    }
  },
};
