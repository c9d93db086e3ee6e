/** The name of the command that writes a workload's files, hot-reloaded ones included. */
const SUFFIX = /-(?:live-)?files$/;

/** The workload whose files a command of this name writes; undefined for any other command. */
export function workloadOfFiles(command: string): string | undefined {
  return SUFFIX.test(command) ? command.replace(SUFFIX, "") : undefined;
}
