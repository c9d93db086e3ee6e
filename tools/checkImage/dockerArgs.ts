import { quote } from "../../components/shell.ts";
import type { ContainerInputs } from "./plan.ts";

export interface DockerArgs {
  readonly name: string;
  readonly network: string;
  /** Most processes and threads. */
  readonly pids: number;
  /** More names than its own. */
  readonly aliases?: readonly string[];
  /**
   * Whether it may write where it likes: as the image's own root, with a root file system that can be written to. Everything else
   * stays as it is. It shows where a program would write that is not allowed to.
   */
  readonly free?: boolean;
  /** Memory in place of the declared limit, MiB: it shows what a program takes that meets its limit. */
  readonly memory?: number;
}

/** What a volume is given for the time of a check, MiB. */
const VOLUME_MIB = 512;
const MIB = 1024 * 1024;

const option = (name: string, values: readonly string[]) => values.flatMap((value) => [`--${name}`, value]);

/** Seconds between two health checks: fewer than in a stack, since it is about when the program became healthy. */
export const CHECK_SECONDS = 5;

/**
 * The command line of Docker's client that makes a container as the stack declares it. All of its segments are one network, and
 * a volume is memory of its user.
 */
export function dockerArgs(
  inputs: ContainerInputs,
  { name, network, pids, aliases: more = [], free = false, memory }: DockerArgs,
): string[] {
  const [uid = "0", gid = uid] = (free ? "0:0" : (inputs.user ?? "0:0")).split(":");
  const aliases = new Set([...(inputs.networksAdvanced ?? []).flatMap((each) => each.aliases ?? []), ...more]);
  const mounts = inputs.mounts ?? [];
  const tmpfs: Record<string, string> = {
    ...inputs.tmpfs,
    ...Object.fromEntries(
      mounts
        .filter(({ type }) => type === "volume")
        .map(({ target }) => [target, `rw,nosuid,nodev,size=${VOLUME_MIB * MIB},uid=${uid},gid=${gid},mode=0750`]),
    ),
  };
  const { healthcheck } = inputs;
  const [kind, ...test] = healthcheck?.tests ?? [];
  return [
    "create",
    ...option("name", [name]),
    ...option("network", [network]),
    ...option("network-alias", [...aliases]),
    ...option("hostname", inputs.hostname === undefined ? [] : [inputs.hostname]),
    ...option("user", [`${uid}:${gid}`]),
    ...option("group-add", inputs.groupAdds ?? []),
    ...(inputs.readOnly === true && !free ? ["--read-only"] : []),
    ...(inputs.init === true ? ["--init"] : []),
    ...option("cap-drop", inputs.capabilities?.drops ?? []),
    ...option("cap-add", inputs.capabilities?.adds ?? []),
    ...option("security-opt", inputs.securityOpts ?? []),
    ...option("memory", [`${memory ?? inputs.memory}m`]),
    ...option("memory-swap", [`${memory ?? inputs.memorySwap}m`]),
    ...option("cpu-shares", [String(inputs.cpuShares)]),
    ...option("pids-limit", [String(pids)]),
    ...option("log-driver", ["json-file"]),
    ...option("stop-timeout", [String(inputs.stopTimeout)]),
    ...option("env", inputs.envs ?? []),
    ...option(
      "label",
      (inputs.labels ?? []).map(({ label, value }) => `${label}=${value}`),
    ),
    ...option(
      "mount",
      mounts
        .filter(({ type }) => type === "bind")
        .map(({ source, target }) => `type=bind,source=${source},target=${target},readonly`),
    ),
    ...option(
      "tmpfs",
      Object.entries(tmpfs).map(([path, options]) => `${path}:${options}`),
    ),
    ...(healthcheck === undefined
      ? []
      : [
          // Docker's client knows a health check as a line of shell alone.
          ...option("health-cmd", [kind === "CMD" ? test.map(quote).join(" ") : test.join(" ")]),
          ...option("health-interval", [`${CHECK_SECONDS}s`]),
          ...option("health-timeout", [String(healthcheck.timeout)]),
          ...option("health-retries", [String(healthcheck.retries)]),
          ...option("health-start-period", [String(healthcheck.startPeriod)]),
        ]),
    ...option("entrypoint", [inputs.entrypoints?.[0] ?? ""]),
    inputs.image,
    ...(inputs.command ?? []),
  ];
}

/** The paths at which a container has something mounted. */
export function mountedPaths(inputs: ContainerInputs): string[] {
  return [...(inputs.mounts ?? []).map(({ target }) => target), ...Object.keys(inputs.tmpfs ?? {})];
}
