import type { Daemon } from "../daemon.ts";
import { UpgradeServer } from "./server.ts";

interface Inspected {
  readonly Config: {
    readonly User: string;
    readonly Entrypoint: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
  };
  readonly HostConfig: { readonly Tmpfs: Readonly<Record<string, string>> | null };
  readonly Mounts: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly Source: string;
    readonly Destination: string;
    readonly RW: boolean;
  }[];
}

/**
 * Starts the new version on the data as Postgres's own container would, by its start script and settings, but on no network; and ends
 * it again. So a new version that does not start is known before the update replaces the container.
 * @param former Postgres's container, whose mounts and command line it has; it is stopped
 * @throws UserError with the server's last words when it does not start
 */
export async function tryNewVersion(daemon: Daemon, former: string, image: string): Promise<void> {
  const [found] = JSON.parse(await daemon.ask("inspect", "--type", "container", former)) as Inspected[];
  if (found === undefined) throw new Error(`there is no container ${former}`);
  const { Config, HostConfig, Mounts } = found;
  const mounts = Mounts.flatMap(({ Type, Name, Source, Destination, RW }) => [
    "--mount",
    `type=${Type},source=${Type === "volume" ? Name : Source},target=${Destination}${RW ? "" : ",readonly"}${Type === "volume" ? ",volume-nocopy" : ""}`,
  ]);
  const memory = Object.entries(HostConfig.Tmpfs ?? {}).flatMap(([path, how]) => ["--tmpfs", `${path}:${how}`]);
  const confined = ["--network", "none", "--read-only", "--user", Config.User, "--cap-drop", "ALL"];
  const [program = "", ...words] = [...(Config.Entrypoint ?? []), ...(Config.Cmd ?? [])];
  const server = await UpgradeServer.start(
    daemon,
    ["run", ...confined, "--security-opt", "no-new-privileges:true", ...mounts, ...memory],
    ["--entrypoint", program, image, ...words],
    "127.0.0.1",
  );
  try {
    await server.stop();
  } finally {
    await server.remove();
  }
}
