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
    service: "caddy",
    value: "*",
    reason: "the one way in: terminates TLS and asks for the login of the admin pages",
  },
  {
    rule: "container-capabilities-dropped",
    service: "caddy",
    value: "NET_BIND_SERVICE",
    reason: "the file of the program carries this capability, and the kernel refuses to start it where it is dropped",
  },
  ...["/", "/proc"].map((value) => ({
    rule: "container-mounts-harmless",
    service: "node-exporter",
    value,
    reason: "measures the host's CPU, memory, disks and network; mounted read-only",
  })),
  {
    rule: "container-mounts-harmless",
    service: "cadvisor",
    value: "/sys/fs/cgroup",
    reason: "measures the containers by their control groups; mounted read-only, and figures are all that lies there",
  },
  {
    rule: "container-mounts-harmless",
    service: "log-collector",
    value: "/var/lib/docker/containers",
    reason: "reads the files to which Docker writes what containers print; mounted read-only, and no secret lies there",
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
  ...["grafana", "blackbox-exporter"].map((service) => ({
    rule: "container-user-not-root",
    service,
    value: "gid 0",
    reason: "its image runs as this group, which owns what it reads; all capabilities are dropped",
  })),
  {
    rule: "container-user-not-root",
    service: "backup",
    value: "gid 0",
    reason: "reads Grafana's database, which is that group's; all capabilities are dropped",
  },
];

/** Whether a workload may do what the rule forbids. */
export function waived(rule: string, service: string, value = "*"): boolean {
  return waivers.some(
    (waiver) => waiver.rule === rule && waiver.service === service && (waiver.value === value || waiver.value === "*"),
  );
}
