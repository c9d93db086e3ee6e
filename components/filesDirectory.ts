import { homedir } from "node:os";
import { join } from "node:path";
import type { Settings } from "./settings.ts";

/** Where the files go unless the config says otherwise: in the user's own state for a local stack, else where the host keeps its state. */
export function filesDirectory(
  { environment, filesDir, host }: Pick<Settings, "environment" | "filesDir" | "host">,
  stack: string,
): string {
  if (filesDir !== "") return filesDir;
  return environment === "local" && host === undefined
    ? join(homedir(), ".local", "state", "autollm-trader", stack)
    : `/var/lib/autollm/files/${stack}`;
}
