import { readableGroups } from "../components/uids.ts";

/** An exception from a rule, for one workload and one value of it. */
export interface Waiver {
  readonly rule: string;
  /** The container's label `autollm.service`. */
  readonly service: string;
  /** Exactly what is allowed: a capability, a host path, a user, a port; `*` where the rule has no value. */
  readonly value: string;
  readonly reason: string;
}

/** Every exception from the rules. A new one needs a reason that holds up in a review. */
export const waivers: readonly Waiver[] = [
  {
    rule: "container-ports-closed",
    service: "edge-sockets",
    value: "*",
    reason:
      "the one way in: holds the sockets for Caddy, which terminates TLS and asks for the login of the admin pages",
  },
  {
    rule: "container-capabilities-dropped",
    service: "edge-sockets",
    value: "CAP_NET_ADMIN",
    reason: "tells the packet filter of its own network namespace to which Caddy an HTTP/3 connection belongs",
  },
  {
    rule: "container-user-not-root",
    service: "edge-sockets",
    value: "0",
    reason:
      "the kernel gives that capability to root alone; it has no other one, no secret, and reads nothing of a client",
  },
  {
    rule: "container-capabilities-dropped",
    service: "caddy",
    value: "CAP_NET_BIND_SERVICE",
    reason: "the file of the program carries this capability, and the kernel refuses to start it where it is dropped",
  },
  {
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value: "/proc/1/net/dev",
    reason: "one file: what the host's network interfaces have carried",
  },
  {
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value: "/proc/1/mountinfo",
    reason: "one file: the names of the host's mounts",
  },
  {
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value: "/etc/hostname",
    reason: "one file, which holds the host's name: it tells how full its file system is",
  },
  {
    rule: "container-mounts-harmless",
    service: "cadvisor",
    value: "/sys/fs/cgroup",
    reason:
      "measures the containers by their control groups; mounted read-only, and figures and process numbers are all that lies there",
  },
  {
    rule: "container-mounts-harmless",
    service: "log-collector",
    value: "/var/lib/docker/containers",
    reason:
      "reads the files to which Docker writes what containers print; mounted read-only. Containers' settings lie there too, in which container-no-plain-secret allows no secret",
  },
  {
    rule: "container-user-not-root",
    service: "log-collector",
    value: "0",
    reason: "Docker's log files are root's alone; it has no capability and takes no request",
  },
  {
    rule: "container-user-not-root",
    service: "log-collector",
    value: "gid 0",
    reason: "Docker's log files are root's alone; it has no capability and takes no request",
  },
  ...["0", "gid 0"].map((value) => ({
    rule: "container-user-not-root",
    service: "log-collector-guard",
    value,
    reason: "the queue that it looks after is root's, as its collector is; it has no capability and no network",
  })),
  ...["otel-collector", "log-collector", "loki"].map((workload) => ({
    rule: "container-user-own",
    service: `${workload}-guard`,
    value: `with ${workload}`,
    reason: "reads its workload's files, which are that user's alone; it has no network, no secret and no other mount",
  })),
  ...readableGroups.map((group) => ({
    rule: "container-user-own",
    service: "backup",
    value: String(group),
    reason: "reads, by its group alone, the files of a workload whose volume is saved; nobody else is in two groups",
  })),
];

/** Whether a workload may do what the rule forbids. */
export function waived(rule: string, service: string, value = "*"): boolean {
  return waivers.some(
    (waiver) => waiver.rule === rule && waiver.service === service && (waiver.value === value || waiver.value === "*"),
  );
}
