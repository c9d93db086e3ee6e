import { docker, type TestStack } from "./stack.ts";

/** Starts a copy of a workload's container that the stack does not know: same image, files, user and networks. */
export async function twin(stack: TestStack, workload: string): Promise<string> {
  const [original] = JSON.parse(await docker("inspect", await stack.container(workload))) as [
    {
      Image: string;
      Config: { Entrypoint: string[]; Cmd: string[]; Env: string[]; User: string };
      HostConfig: { Mounts: { Type: string; Source: string; Target: string }[]; Tmpfs: Record<string, string> };
      NetworkSettings: { Networks: Record<string, object> };
    },
  ];
  const [program = "", ...rest] = [...original.Config.Entrypoint, ...original.Config.Cmd];
  const [first = "", ...networks] = Object.keys(original.NetworkSettings.Networks);
  const name = `${stack.name}-twin`;
  await docker(
    ...["create", "--name", name, "--network", first, "--user", original.Config.User, "--memory", "256m"],
    ...original.Config.Env.flatMap((variable) => ["--env", variable]),
    ...original.HostConfig.Mounts.flatMap(({ Source, Target }) => ["--volume", `${Source}:${Target}:ro`]),
    ...Object.keys(original.HostConfig.Tmpfs).flatMap((path) => ["--tmpfs", path]),
    ...["--entrypoint", program, original.Image, ...rest],
  );
  for (const network of networks) await docker("network", "connect", network, name);
  await docker("start", name);
  return name;
}
