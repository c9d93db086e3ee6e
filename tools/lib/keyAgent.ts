import { existsSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { keyFile } from "../../components/host/keyFile.ts";

/** Commands of Pulumi's that may run something on a stack's host. A preview connects to nobody. */
const CONNECTING = ["up", "update", "destroy", "down", "refresh", "watch"];

interface HostConfig {
  readonly privateKeyPath?: string;
}

/** The file of the key for a stack's host, by the stack's config; undefined where it has none. */
function keyOf(configFile: string): string | undefined {
  if (!existsSync(configFile)) return undefined;
  const { config } = (parse(readFileSync(configFile, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  const host = config?.["autollm:host"] as HostConfig | undefined;
  if (typeof host !== "object" || host === null || Object.keys(host).length === 0) return undefined;
  const { privateKeyPath: path = "~/.ssh/id_ed25519" } = host;
  return keyFile(path);
}

/** Whether this machine can ask a stack's host: previews in CI have no key of it, and connect to nobody. */
export const canAskHost = ({ host }: { readonly host?: { readonly privateKeyPath: string } | undefined }): boolean =>
  host === undefined || existsSync(keyFile(host.privateKeyPath));

/** A folder with an `ssh` that connects to nobody. */
const KEYLESS = fileURLToPath(new URL("keyless", import.meta.url));

/** How Pulumi is run. */
export interface EngineRun {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * How Pulumi is run, so that it has the deployments' key just where it may need it. With a host, what changes the stack runs under
 * an SSH agent that holds the key: the provider takes it from there, so that it is in no state. The agent ends with the engine,
 * also with a killed one (ssh-agent(1), "command"). A preview where there is no key runs without a connection.
 * @param path on which the engine finds its programs
 */
export function withKey(
  pulumi: string,
  args: readonly string[],
  configFile: string,
  path = process.env.PATH ?? "",
): EngineRun {
  const plain = { program: pulumi, args, env: {} };
  const command = args.find((arg) => !arg.startsWith("-")) ?? "";
  const previews = command === "preview" && !args.some((arg) => /^(--refresh|-r)(=|$)/.test(arg));
  if (args.includes("--help") || !(previews || CONNECTING.includes(command))) return plain;
  const key = keyOf(configFile);
  if (key === undefined) return plain;
  if (!previews) {
    const line = ["sh", "-c", 'ssh-add -q "$0" </dev/null && exec "$@"', key, pulumi, ...args];
    return { program: "ssh-agent", args: line, env: {} };
  }
  return existsSync(key) ? plain : { ...plain, env: { PATH: `${KEYLESS}${delimiter}${path}` } };
}
