import { ENGINE_SOCKET, holdsEngineSocket, hostMounts } from "../lib/mounts.ts";
import type { ResourceRule } from "../lib/rule.ts";
import { CONTAINER } from "../lib/types.ts";
import { list, record, text } from "../lib/value.ts";

export const containerNoDockerSocket: ResourceRule = {
  name: "container-no-docker-socket",
  title: "No container holds the socket of the container engine",
  level: "mandatory",
  severity: "critical",
  why: "Whoever speaks to the socket starts a privileged container and owns the host. Read-only does not help: it is a socket.",
  mend: "remove the mount; where an answer of Docker is needed, ask a filtered read-only proxy",
  types: [CONTAINER],
  *check(subject) {
    for (const { key, source } of hostMounts(subject)) {
      if (ENGINE_SOCKET.test(source)) yield { key, problem: "is a container engine's socket" };
      else if (holdsEngineSocket(source))
        yield { key, problem: `is ${source}, in which a container engine's socket lies` };
    }
    for (const [index, upload] of list(subject.props.uploads).entries()) {
      if (ENGINE_SOCKET.test(text(record(upload).source) ?? "")) {
        yield { key: `uploads[${index}].source`, problem: "is a container engine's socket" };
      }
    }
  },
};
