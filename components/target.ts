import { homedir } from "node:os";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { Host } from "./host/host.ts";
import { readKeyPair } from "./host/keys.ts";
import { sharedConnection, sshCommand, sshOptions } from "./host/login.ts";
import { DEPLOYER } from "./host/options.ts";
import type { Target } from "./runtime/target.ts";
import type { Settings } from "./settings.ts";

/** Where the files go unless the config says otherwise: in the user's own state for a local stack, else where the host keeps its state. */
export function filesDirectory(
  { environment, filesDir, host }: Pick<Settings, "environment" | "filesDir" | "host">,
  stack: string,
): string {
  if (filesDir !== "") return filesDir;
  return environment === "local"
    ? join(homedir(), ".local", "state", "autollm-trader", stack)
    : `/var/lib/autollm/files/${stack}`;
}

/** Where the stack runs: this machine's Docker, or that of a host which is set up first. */
export function makeTarget(settings: Settings): Target {
  const stack = pulumi.getStack();
  const labels = { "autollm.environment": settings.environment, "autollm.stack": stack };
  const filesDir = filesDirectory(settings, stack);
  if (settings.host !== undefined) return { ...remoteTarget(settings.host, settings), filesDir, labels };
  return {
    docker: new docker.Provider("docker", { host: settings.dockerHost }),
    dockerSocket: settings.dockerHost,
    filesDir,
    labels,
  };
}

/** Sets the host up. All that needs it takes its address from there, so the first preview of an empty host works. */
function remoteTarget(
  { address, port, firstPort, user, hostKey, privateKeyPath, admins, trustedNetworks }: NonNullable<Settings["host"]>,
  { httpPort, httpsPort }: Settings,
): Omit<Target, "filesDir" | "labels"> {
  const keys = readKeyPair(privateKeyPath);
  const privateKey = pulumi.secret(keys.privateKey);
  const login = { address, port, user: DEPLOYER, hostKey, privateKeyPath };
  const host = new Host("host", {
    login,
    privateKey,
    firstUser: user,
    firstPort,
    options: {
      deployer: DEPLOYER,
      deployerKey: keys.publicKey,
      admins,
      sshPort: port,
      trustedNetworks,
      publicPorts: [httpPort, httpsPort],
    },
  });
  const authority = address.includes(":") ? `[${address}]` : address;
  return {
    docker: new docker.Provider("docker", {
      host: host.address.apply(() => `ssh://${DEPLOYER}@${authority}:${port}`),
      sshOpts: [...sshOptions(login), ...sharedConnection()],
    }),
    dockerSocket: "unix:///var/run/docker.sock",
    connection: { host: host.address, port, user: DEPLOYER, hostKey, privateKey },
    imageLoader: host.address.apply(() => `${sshCommand(login)} docker load --quiet`),
  };
}
