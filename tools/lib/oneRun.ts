import type { Daemon } from "./daemon.ts";
import { momentary } from "./restore/volumes.ts";

/** What `docker inspect` tells of a container, as far as another one like it is made of it. */
export interface Inspected {
  readonly Image: string;
  readonly Config: {
    readonly User: string;
    readonly Env: readonly string[] | null;
    readonly Entrypoint: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
  };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly Init?: boolean | null;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly GroupAdd: readonly string[] | null;
    readonly Memory: number;
    readonly MemorySwap: number;
    readonly CpuShares: number;
    readonly PidsLimit?: number | null;
    readonly NetworkMode: string;
    readonly Tmpfs?: Readonly<Record<string, string>> | null;
    readonly Mounts?:
      | readonly {
          readonly Type: string;
          readonly Source: string;
          readonly Target: string;
          readonly ReadOnly?: boolean;
          readonly VolumeOptions?: { readonly NoCopy?: boolean } | null;
        }[]
      | null;
  };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
}

/** The networks that a container joins, by name; none at all for one that has none. */
const networksOf = ({ HostConfig: { NetworkMode }, NetworkSettings: { Networks } }: Inspected): readonly string[] =>
  NetworkMode === "none" ? [] : Object.keys(Networks).sort();

const option = (name: string, values: readonly string[] | null | undefined) =>
  (values ?? []).flatMap((value) => [`--${name}`, value]);

/**
 * Docker's arguments that make a container as confined as another one, with more words on its command line. It goes when it ends.
 * It bears no name of a service, as it is none: nobody takes it for the one that it is like.
 */
export function likeArgs(like: Inspected, name: string, stack: string, words: readonly string[]): string[] {
  const { Config: config, HostConfig: host } = like;
  const [program = "", ...first] = config.Entrypoint ?? [];
  const [network = "none"] = networksOf(like);
  return [
    ...["create", "--rm", "--name", name, "--label", `autollm.stack=${stack}`, "--network", network],
    ...["--user", config.User, ...option("group-add", host.GroupAdd)],
    ...(host.ReadonlyRootfs ? ["--read-only"] : []),
    ...(host.Init === true ? ["--init"] : []),
    ...option("cap-drop", host.CapDrop),
    ...option("security-opt", host.SecurityOpt),
    ...["--memory", String(host.Memory), "--memory-swap", String(host.MemorySwap)],
    ...["--cpu-shares", String(host.CpuShares)],
    ...((host.PidsLimit ?? 0) > 0 ? ["--pids-limit", String(host.PidsLimit)] : []),
    ...option("env", config.Env),
    ...option(
      "tmpfs",
      Object.entries(host.Tmpfs ?? {}).map(([path, options]) => `${path}:${options}`),
    ),
    ...option(
      "mount",
      (host.Mounts ?? []).map(
        ({ Type, Source, Target, ReadOnly, VolumeOptions }) =>
          `type=${Type},source=${Source},target=${Target}${ReadOnly === true ? ",readonly" : ""}${VolumeOptions?.NoCopy === true ? ",volume-nocopy" : ""}`,
      ),
    ),
    ...["--entrypoint", program, like.Image, ...first, ...(config.Cmd ?? []), ...words],
  ];
}

/**
 * Runs a container's program once more, in a container like it, with more words on its command line; its output is shown.
 * @returns its exit code
 */
export async function runLike(daemon: Daemon, container: string, words: readonly string[]): Promise<number> {
  const [like] = JSON.parse(await daemon.ask("inspect", "--type", "container", container)) as Inspected[];
  if (like === undefined) throw new Error(`there is no container ${container}`);
  const name = momentary(container);
  await daemon.run(likeArgs(like, name, daemon.stack, words));
  try {
    for (const network of networksOf(like).slice(1)) await daemon.run(["network", "connect", network, name]);
    return (await daemon.run(["start", "--attach", name], { output: "show", allowFailure: true })).code;
  } finally {
    // It is gone when it ran to its end; where something came between, it is not.
    await daemon.run(["rm", "--force", name], { allowFailure: true });
  }
}
