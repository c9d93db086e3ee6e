import type { HostOptions } from "../../../components/host/options.ts";

/** A host with something of everything. */
export const options: HostOptions = {
  deployer: "deployer",
  deployerKey: "ssh-ed25519 AAAA",
  admins: { ada: ["ssh-ed25519 BBBB"] },
  hostKey: "ssh-ed25519 CCCC",
  sshPort: 2222,
  trustedNetworks: ["192.0.2.0/24", "2001:db8::/32"],
  trustedProxies: ["198.51.100.0/24"],
  publicPorts: [80, 443],
  publicUdpPorts: [443],
  swapMiB: 1024,
  docker: { source: "debian" },
};
