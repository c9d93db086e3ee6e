/** The directory's name below the stack's files on the Docker host: no volume, so no restore replaces it. */
const DIRECTORY = "kill-switch";

/** Where the directory is mounted, in each workload that obeys the switch or shows it. */
export const KILL_SWITCH_MOUNT = "/run/kill-switch";

/**
 * The platform's kill switch is on while this file exists, and off while it does not. It is a metric at the same time, so what
 * is shown and what is obeyed cannot differ.
 */
export const KILL_SWITCH_FILE = "on.prom";

/** 1 while the switch is on; absent while it is off. */
export const KILL_SWITCH_METRIC = "platform_kill_switch_active";

/** The directory on the Docker host. */
export const killSwitchDirectory = (filesDir: string): string => `${filesDir}/${DIRECTORY}`;

/** Whether a path of the host is a stack's directory of the switch. */
export const isKillSwitchDirectory = (path: string): boolean => path.endsWith(`/${DIRECTORY}`);

/** The person who set the switch, when and why. */
export interface KillSwitchDetail {
  readonly reason: string;
  readonly by?: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** The file's content: the detail as a comment, which Prometheus skips, and the metric. */
export function killSwitchText(detail: KillSwitchDetail): string {
  return [
    `# HELP ${KILL_SWITCH_METRIC} 1 while the platform's kill switch is on.`,
    `# TYPE ${KILL_SWITCH_METRIC} gauge`,
    `# ${JSON.stringify(detail)}`,
    `${KILL_SWITCH_METRIC} 1`,
    "",
  ].join("\n");
}
