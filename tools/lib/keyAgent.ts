import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";

/** Commands of Pulumi's that may run something on a stack's host. A preview connects to nobody. */
const CONNECTING = ["up", "update", "destroy", "down", "refresh", "watch"];

interface HostConfig {
  readonly privateKeyPath?: string;
}

/** The file of the key for a stack's host, by the stack's config; undefined where it has none. */
function keyFile(configFile: string): string | undefined {
  if (!existsSync(configFile)) return undefined;
  const { config } = (parse(readFileSync(configFile, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  const host = config?.["autollm:host"] as HostConfig | undefined;
  if (typeof host !== "object" || host === null || Object.keys(host).length === 0) return undefined;
  const { privateKeyPath: path = "~/.ssh/id_ed25519" } = host;
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
}

/**
 * The line that runs Pulumi, with an SSH agent that holds the deployments' key where the stack has a host. The provider takes the
 * key from there, so that it is in no state. The agent ends with the engine, also with a killed one (ssh-agent(1), "command").
 */
export function withKey(
  pulumi: string,
  args: readonly string[],
  configFile: string,
): readonly [string, readonly string[]] {
  const connects = CONNECTING.includes(args.find((arg) => !arg.startsWith("-")) ?? "") && !args.includes("--help");
  const key = connects ? keyFile(configFile) : undefined;
  if (key === undefined) return [pulumi, args];
  return ["ssh-agent", ["sh", "-c", 'ssh-add -q "$0" </dev/null && exec "$@"', key, pulumi, ...args]];
}
