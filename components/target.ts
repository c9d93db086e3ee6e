import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { commandLine } from "./configCommand.ts";
import { filesDirectory } from "./filesDirectory.ts";
import { hostOptions, loginOf } from "./host/fromSettings.ts";
import { Host } from "./host/host.ts";
import { readKeyPair } from "./host/keys.ts";
import { sharedConnection, sshCommand, sshOptions } from "./host/login.ts";
import { providerLogins } from "./registries.ts";
import { HELD_VARIABLE } from "./runtime/held.ts";
import type { Target } from "./runtime/target.ts";
import type { Settings } from "./settings.ts";
import type { LoadedConfig } from "./stackConfig.ts";

/** Where the stack runs: this machine's Docker, or that of a host which is set up first. */
export function makeTarget({ settings, registries }: Pick<LoadedConfig, "settings" | "registries">): Target {
  const stack = pulumi.getStack();
  const { environment } = settings;
  const common = {
    environment,
    filesDir: filesDirectory(settings, stack),
    labels: { "autollm.environment": environment, "autollm.stack": stack },
    healthInterval: settings.healthInterval,
    held: process.env[HELD_VARIABLE] === "yes",
  };
  const logins = registries === undefined ? {} : { registryAuth: registries.apply(providerLogins) };
  if (settings.host !== undefined) return { ...remoteTarget(settings.host, settings, logins), ...common };
  return {
    docker: new docker.Provider("docker", { host: settings.dockerHost, ...logins }),
    dockerSocket: settings.dockerHost,
    ...common,
  };
}

/** Sets the host up. All that needs it takes its address from there, so the first preview of an empty host works. */
function remoteTarget(
  settings: NonNullable<Settings["host"]>,
  all: Settings,
  logins: Pick<docker.ProviderArgs, "registryAuth">,
): Omit<Target, "environment" | "filesDir" | "labels" | "healthInterval" | "held"> {
  const keys = readKeyPair(settings.privateKeyPath);
  if (!pulumi.runtime.isDryRun() && process.env.SSH_AUTH_SOCK === undefined)
    pulumi.log.warn(
      `no SSH agent: commands on the host find no key. ${commandLine(pulumi.getStack(), "up")} starts one; else: ssh-agent sh -c 'ssh-add ${settings.privateKeyPath} && pulumi up'`,
    );
  const login = loginOf(settings);
  const { address, port, user, hostKey } = login;
  const host = new Host("host", {
    login,
    firstUser: settings.user,
    firstPort: settings.firstPort,
    options: hostOptions(all, keys),
  });
  const authority = address.includes(":") ? `[${address}]` : address;
  return {
    docker: new docker.Provider("docker", {
      host: host.address.apply(() => `ssh://${user}@${authority}:${port}`),
      sshOpts: [...sshOptions(login), ...sharedConnection()],
      ...logins,
    }),
    dockerSocket: "unix:///var/run/docker.sock",
    ready: host.ready,
    // Its key is the agent's (SSH_AUTH_SOCK): here it would be in the state, where everybody finds it who may read that.
    connection: { host: address, port, user, hostKey },
    imageLoader: host.address.apply(() => `${sshCommand(login)} docker load --quiet`),
  };
}
