import { METRICS_DIR } from "../components/host/steps/directories.ts";
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
      "the only way in: holds the sockets for Caddy, which terminates TLS and requires the login of the admin pages",
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
      "the kernel gives that capability to root alone; the container has no other one and no secret, and reads nothing that a client sends",
  },
  {
    rule: "container-capabilities-dropped",
    service: "caddy",
    value: "CAP_NET_BIND_SERVICE",
    reason: "the program's file carries this capability, and the kernel refuses to start it if it is dropped",
  },
  {
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value: "/proc/1/net/dev",
    reason: "one file: the counters of the host's network interfaces",
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
    reason: "one file, which contains the host's name: any file shows how full its file system is",
  },
  {
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value: METRICS_DIR,
    reason: "the metrics that the host's own programs write: only root writes there, and nothing else is in it",
  },
  {
    rule: "container-mounts-harmless",
    service: "cadvisor",
    value: "/sys/fs/cgroup",
    reason:
      "measures the containers by their control groups; mounted read-only, and only metrics and process numbers are there",
  },
  {
    rule: "container-mounts-harmless",
    service: "log-collector",
    value: "/var/lib/docker/containers",
    reason:
      "reads the files to which Docker writes what containers print; mounted read-only. The containers' settings are there too; container-no-plain-secret allows no secret in them",
  },
  {
    rule: "container-user-not-root",
    service: "log-collector",
    value: "0",
    reason: "only root may read Docker's log files; the container has no capability and accepts no request",
  },
  {
    rule: "container-user-not-root",
    service: "log-collector",
    value: "gid 0",
    reason: "only root may read Docker's log files; the container has no capability and accepts no request",
  },
  ...["0", "gid 0"].map((value) => ({
    rule: "container-user-not-root",
    service: "log-collector-guard",
    value,
    reason:
      "the queue that it checks belongs to root, as its collector runs as root; it has no capability and no network",
  })),
  ...["otel-collector", "log-collector", "loki"].map((workload) => ({
    rule: "container-user-own",
    service: `${workload}-guard`,
    value: `with ${workload}`,
    reason:
      "reads its workload's files, which only that user may read; it has no network, no secret and no other mount",
  })),
  ...readableGroups.map((group) => ({
    rule: "container-user-own",
    service: "backup",
    value: String(group),
    reason:
      "reads, by its group alone, the files of a workload whose volume is saved; no other workload is in two groups",
  })),
];

/** Whether a workload may do what the rule forbids. */
export function waived(rule: string, service: string, value = "*"): boolean {
  return waivers.some(
    (waiver) => waiver.rule === rule && waiver.service === service && (waiver.value === value || waiver.value === "*"),
  );
}
