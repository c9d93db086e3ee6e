/** What the command is called that writes a workload's files, or those that it takes while it runs. */
const SUFFIX = /-(?:live-)?files$/;

/** The workload whose files a command of this name writes; undefined for any other command. */
export function workloadOfFiles(command: string): string | undefined {
  return SUFFIX.test(command) ? command.replace(SUFFIX, "") : undefined;
}
