import { holdsEngineSocket, hostMounts, RUNTIME_SOCKET } from "../lib/mounts.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { list, record, text } from "../lib/value.ts";

export const containerNoDockerSocket: ResourceRule = {
  name: "container-no-docker-socket",
  title: "No container has the container runtime's socket",
  level: "mandatory",
  severity: "critical",
  why: "A program that can use the socket can start a privileged container, and so controls the host. Read-only does not help: it is a socket.",
  fix: "remove the mount; if an answer of Docker is needed, use a filtered read-only proxy",
  types: [CONTAINER],
  *check(subject) {
    for (const { key, source } of hostMounts(subject)) {
      if (RUNTIME_SOCKET.test(source)) yield { key, problem: "is a container runtime's socket" };
      else if (holdsEngineSocket(source))
        yield { key, problem: `is ${source}, which contains a container runtime's socket` };
    }
    for (const [index, upload] of list(subject.props.uploads).entries()) {
      if (RUNTIME_SOCKET.test(text(record(upload).source) ?? "")) {
        yield { key: `uploads[${index}].source`, problem: "is a container runtime's socket" };
      }
    }
  },
};
