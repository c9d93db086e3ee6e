import { isPart, partNames, parts } from "./parts.ts";
import { isServiceName, serviceNames, services } from "./platform/catalogue.ts";

/**
 * The numbers of the workloads' users and groups. For the kernel a user is only a number: two containers with the same one
 * may read each other's memory and files if one of them sees the other's processes, and a container shares it with the
 * account that has it on the host. No account there has these: Debian's own users end at 999, logins run
 * from 1000 to 60000 (/etc/login.defs), 60001 to 65535 are Debian's and systemd's reserves (systemd.io/UIDS-GIDS), and the
 * ranges that a login may give to its containers begin at 100000 (SUB_UID_MIN).
 */
export const UIDS = { first: 70_000, last: 79_999 } as const;

/** IB Gateway's own image; its stand-in has a number of the range. */
export const IB_GATEWAY_IMAGE = {
  user: "1000:1000",
  why: "its programs belong to the image's own user, and others may not start all of them",
} as const;

/** The number of a workload in its row, if it has one. */
function numberOf(workload: string): number | undefined {
  if (isServiceName(workload)) return services[workload].uid;
  return isPart(workload) ? parts[workload].uid : undefined;
}

/** Every number of the range that is taken, by its workload. */
export function takenUids(): Readonly<Record<string, number>> {
  const taken = [...serviceNames, ...partNames].filter((name) => numberOf(name) !== undefined);
  return Object.fromEntries(taken.map((name) => [name, uidOf(name)]));
}

/**
 * The number of a workload, which is its user's and its group's.
 * @throws for a workload that has none
 */
export function uidOf(workload: string): number {
  const uid = numberOf(workload);
  if (uid === undefined)
    throw new Error(
      `${workload} has no uid: give its row in components/parts.ts a free one from ${UIDS.first} to ${UIDS.last}`,
    );
  return uid;
}

/** Numeric `uid:gid` that a workload runs as. */
export function workloadUser(workload: string): string {
  const fixed = isPart(workload) ? parts[workload].runsAs : undefined;
  if (fixed !== undefined) return fixed.user;
  const uid = uidOf(workload);
  return `${uid}:${uid}`;
}

/**
 * The groups of the workloads whose volumes the backup reads: it is in all of them, and they are in none of each other's. An application may
 * keep a volume in each service.
 */
export const readableGroups: readonly number[] = [...serviceNames, "grafana"].map(uidOf);
