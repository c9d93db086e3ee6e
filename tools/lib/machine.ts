import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

function read(how: () => string): string {
  try {
    return how().trim();
  } catch {
    return "";
  }
}

/**
 * What tells the processes of this machine from those of any other: the running kernel and the namespace of its process ids.
 * A host name does not: two runners may share one, and two containers of one machine do not see each other's processes.
 */
export function processSpace(): string {
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"));
  const namespace = read(() => readlinkSync("/proc/self/ns/pid"));
  return boot === "" ? hostname() : `${boot} ${namespace}`;
}

/** The fields of proc_pid_stat(5) from the third one on; the name in the second may hold spaces, and ends with the last parenthesis. */
function statOf(pid: number): string[] {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** When a process of this machine began, in the kernel's own count; a process id alone may belong to another one by now. */
export function startOf(pid: number): string {
  // Field 22.
  return statOf(pid)[19] ?? "";
}

/** Whether a process of this machine runs. One that has ended and that nobody has waited for does not. */
export function isAlive(pid: number): boolean {
  // Field 3: zombie, or dead. Such a process keeps its number, for good where the first process waits for nobody (a container's).
  if (["Z", "X"].includes(statOf(pid)[0] ?? "")) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
