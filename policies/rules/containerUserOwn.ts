import { mayJoin } from "../lib/groups.ts";
import { service } from "../lib/labels.ts";
import type { Finding, StackFinding, StackRule, StackSubject } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { list, text } from "../lib/value.ts";
import { waived } from "../waivers.ts";

const NAME = "container-user-own";

/** Root's number isolates nothing: container-user-not-root has a waiver with a reason for each container that has it. */
const mayBeRoot = (container: StackSubject) => waived("container-user-not-root", service(container), "0");

/** The numbers of a container's user and group; undefined where they are not known, or another rule refuses them. */
function numbers({ props }: StackSubject): { uid: number; gid: number | undefined } | undefined {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text(props.user) ?? "") ?? [];
  if (uid === undefined) return undefined;
  return { uid: Number(uid), gid: gid === undefined ? undefined : Number(gid) };
}

function* checkGroups(container: StackSubject): Generator<Finding> {
  const name = service(container);
  const { uid, gid } = numbers(container) ?? {};
  if (uid !== undefined && uid !== 0 && gid === undefined)
    yield {
      key: "user",
      problem: "names no group: the group would be that of the image's account with that number, or root's",
    };
  if (uid !== 0 && gid === 0) yield { key: "user", problem: "is in the group of root" };
  for (const [index, element] of list(container.props.groupAdds).entries()) {
    const group = text(element);
    if (group === undefined) continue;
    if (!mayJoin(name, group)) yield { key: `groupAdds[${index}]`, problem: `is ${group}` };
  }
}

/** Whether two workloads are meant to have one user. */
const share = (one: string, other: string) => waived(NAME, one, `with ${other}`) || waived(NAME, other, `with ${one}`);

export const containerUserOwn: StackRule = {
  name: NAME,
  title: "No two containers share a user or a group",
  level: "mandatory",
  severity: "high",
  why: "For the kernel a user is a number: a process that sees another process of its own number can read its memory and its files.",
  fix: "give the workload's row a number of its own (components/parts.ts, or the catalogue for a service), or list the group with its reason in policies/waivers.ts",
  *checkStack(subjects): Generator<StackFinding> {
    const containers = subjects.filter(({ type }) => type === CONTAINER);
    for (const subject of containers) {
      for (const finding of checkGroups(subject)) yield { ...finding, subject };
      for (const kind of ["uid", "gid"] as const) {
        const number = numbers(subject)?.[kind];
        const roots = kind === "uid" && number === 0 && mayBeRoot(subject);
        const others = containers.filter(
          (other) =>
            other !== subject &&
            numbers(other)?.[kind] === number &&
            !(roots && mayBeRoot(other)) &&
            !share(service(subject), service(other)),
        );
        if (number === undefined || others.length === 0) continue;
        const names = others.map(({ name }) => name).join(", ");
        yield { subject, key: "user", problem: `has the ${kind} ${number}, as ${names} has` };
      }
    }
  },
};
