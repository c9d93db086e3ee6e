import { isServiceName, serviceNames, services } from "./platform/catalogue.ts";

/**
 * The numbers of the workloads' users and groups. For the kernel a user is only a number: two containers with the same one
 * may read each other's memory and files if one of them sees the other's processes, and a container shares it with the
 * account that has it on the host. No account there has these: Debian's own users end at 999, logins run
 * from 1000 to 60000 (/etc/login.defs), 60001 to 65535 are Debian's and systemd's reserves (systemd.io/UIDS-GIDS), and the
 * ranges that a login may give to its containers begin at 100000 (SUB_UID_MIN).
 */
export const UIDS = { first: 70_000, last: 79_999 } as const;

/** The components; a service's number is in its entry of the catalogue. A number is never used again. */
const parts: Readonly<Record<string, number>> = {
  caddy: 70_001,
  "edge-limiter": 70_002,
  "edge-sockets": 70_003,
  redis: 70_011,
  nats: 70_012,
  "nats-streams": 70_013,
  "ib-gateway": 70_021,
  prometheus: 70_031,
  alertmanager: 70_032,
  grafana: 70_033,
  loki: 70_034,
  "otel-collector": 70_035,
  jaeger: 70_036,
  "node-exporter": 70_041,
  cadvisor: 70_042,
  "blackbox-exporter": 70_043,
  "postgres-exporter": 70_044,
  "redis-exporter": 70_045,
  "nats-exporter": 70_046,
  backup: 70_080,
  "wal-archive": 70_081,
  "restore-test": 70_090,
};

/** The workloads that cannot have a number of the range, and why. */
export const fixedUsers = {
  postgres: { user: "70:70", why: "initdb looks its user up in the image's own accounts; no Debian package uses 70" },
  "edge-sockets": { user: "0:70003", why: "the kernel gives CAP_NET_ADMIN to root alone; it has no other capability" },
  "log-collector": { user: "0:0", why: "Docker's log files are root's alone; it has no capability" },
  "loki-guard": { user: `${parts.loki}:${parts.loki}`, why: "the files that it looks after are Loki's alone" },
  "otel-collector-guard": {
    user: `${parts["otel-collector"]}:${parts["otel-collector"]}`,
    why: "the queue's files are its collector's alone",
  },
  "log-collector-guard": { user: "0:0", why: "the queue's files are its collector's alone; it has no capability" },
} as const;

/** IB Gateway's own image; its stand-in has a number of the range. */
export const IB_GATEWAY_IMAGE = {
  user: "1000:1000",
  why: "its programs belong to the image's own user, and others may not start all of them",
} as const;

/** Every number of the range that is taken, by its workload. */
export function takenUids(): Readonly<Record<string, number>> {
  return { ...Object.fromEntries(Object.entries(services).map(([name, { uid }]) => [name, uid])), ...parts };
}

/**
 * The number of a workload, which is its user's and its group's.
 * @throws for a workload that has none
 */
export function uidOf(workload: string): number {
  const uid = isServiceName(workload) ? services[workload].uid : parts[workload];
  if (uid === undefined)
    throw new Error(
      `${workload} has no uid: give it a free one from ${UIDS.first} to ${UIDS.last} in components/uids.ts`,
    );
  return uid;
}

/** Numeric `uid:gid` that a workload runs as. */
export function workloadUser(workload: string): string {
  if (Object.hasOwn(fixedUsers, workload)) return fixedUsers[workload as keyof typeof fixedUsers].user;
  const uid = uidOf(workload);
  return `${uid}:${uid}`;
}

/**
 * The groups of the workloads whose volumes the backup reads: it is in all of them, and they are in none of each other's. An application may
 * keep a volume in each service.
 */
export const readableGroups: readonly number[] = [...serviceNames, "grafana"].map(uidOf);
