import { outsideDestinations } from "../outside.ts";
import type { Settings } from "../settings.ts";
import type { KeyPair } from "./keys.ts";
import type { Login } from "./login.ts";
import { DEPLOYER, type HostOptions } from "./options.ts";

/** How the deployer logs in on the host of the settings. */
export function loginOf({ address, port, hostKey, privateKeyPath }: NonNullable<Settings["host"]>): Login {
  return { address, port, user: DEPLOYER, hostKey, privateKeyPath };
}

/** What the settings want the host to be. */
export function hostOptions(settings: Settings, keys: KeyPair): HostOptions {
  const { host, httpPort, httpsPort, trustedProxies } = settings;
  return {
    address: host?.address ?? "",
    deployer: DEPLOYER,
    deployerKeys: [keys.publicKey, ...(host?.deployerKeys ?? []).filter((key) => key !== keys.publicKey)],
    admins: host?.admins ?? {},
    hostKey: host?.hostKey ?? "",
    sshPort: host?.port ?? 22,
    trustedNetworks: host?.trustedNetworks ?? [],
    // What the services are told to call they reach without a second entry.
    privateDestinations: [...(host?.privateDestinations ?? []), ...outsideDestinations(settings)],
    trustedProxies,
    publicPorts: [httpPort, httpsPort],
    publicUdpPorts: [httpsPort],
    swapMiB: host?.swapMiB ?? 0,
    upgradeTime: host?.upgradeTime ?? "05:00",
    docker: host?.docker ?? { source: "debian" },
  };
}
