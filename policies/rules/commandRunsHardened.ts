import { FILES_DIRECTORY, leadsTo, RUNTIME_SOCKET } from "../lib/mounts.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { COMMANDS } from "../lib/types.ts";
import { text } from "../lib/value.ts";

/** A container that a script starts past the engine, up to the end of its command. */
const RUN = /\b(?:docker|podman|nerdctl)\b[^|;&\n]*?\s(?:run|create)\s[^|;&\n]*/g;
const MOUNT = /(?:-v|--volume|--mount)[= ]\S+/g;
const ESCAPES: readonly (readonly [string, RegExp])[] = [
  ["a privileged container", /--privileged(?!=false)/],
  ["a container in a namespace of the host", /--(?:net|network|pid|ipc|uts|userns|cgroupns)[= ]["']?host\b/],
  ["an unconfined container", /(?:seccomp|apparmor)[=:]unconfined/],
  ["a container with every capability", /--cap-add[= ]["']?(?:ALL|SYS_ADMIN|SYS_PTRACE|SYS_MODULE)\b/i],
];

/** The path of the host that a mount's words name, where the script itself says it. */
function hostPath(mount: string): string | undefined {
  const [, , source] = /(?:^|[,\s"'=])(source|src)=["']?([^,"']+)/.exec(mount) ?? [];
  const path = source ?? /^(?:-v|--volume)[= ]["']?([^:"']+):/.exec(mount)?.[1];
  return path?.startsWith("/") === true ? leadsTo(path) : undefined;
}

export const commandRunsHardened: ResourceRule = {
  name: "command-runs-hardened",
  title: "A script starts no container that the other policies would refuse",
  level: "mandatory",
  severity: "critical",
  why: "docker run in a script bypasses every check of a Container resource.",
  fix: "use a Workload, or docker run --cap-drop ALL --security-opt no-new-privileges:true without the host's namespaces",
  types: COMMANDS,
  *check({ props }) {
    for (const key of ["create", "update", "delete"]) {
      for (const [run] of (text(props[key]) ?? "").replaceAll("\\\n", " ").matchAll(RUN)) {
        for (const [what, form] of ESCAPES) if (form.test(run)) yield { key, problem: `starts ${what}` };
        const mounts = [...run.matchAll(MOUNT)].flatMap(([mount]) => mount.split(/[\s:=,"']+/));
        if (mounts.some((word) => RUNTIME_SOCKET.test(word))) {
          yield { key, problem: "starts a container that has a container runtime's socket" };
        }
        for (const [mount] of run.matchAll(MOUNT)) {
          const path = hostPath(mount);
          if (path !== undefined && !RUNTIME_SOCKET.test(path) && !FILES_DIRECTORY.test(path))
            yield { key, problem: `starts a container that holds ${path} of the host` };
        }
      }
    }
  },
};
