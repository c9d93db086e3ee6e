import type { HostOptions } from "../../../components/host/options.ts";

/** A host with something of everything. */
export const options: HostOptions = {
  deployer: "deployer",
  address: "198.51.100.7",
  deployerKeys: ["ssh-ed25519 AAAA", "ssh-ed25519 DDDD"],
  admins: { ada: ["ssh-ed25519 BBBB"] },
  hostKey: "ssh-ed25519 CCCC",
  sshPort: 2222,
  trustedNetworks: ["192.0.2.0/24", "2001:db8::/32"],
  privateDestinations: [{ network: "10.9.0.0/16" }, { network: "fd00:9::/64", ports: [443, 5432] }],
  trustedProxies: ["198.51.100.0/24"],
  publicPorts: [80, 443],
  publicUdpPorts: [443],
  swapMiB: 1024,
  upgradeTime: "05:00",
  docker: { source: "debian" },
};
