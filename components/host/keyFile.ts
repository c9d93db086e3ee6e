import { homedir } from "node:os";
import { join } from "node:path";

/** The file of `host.privateKeyPath`, in which a leading `~` is the home directory. */
export const keyFile = (path: string): string => (path.startsWith("~/") ? join(homedir(), path.slice(2)) : path);
