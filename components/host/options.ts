import type { PrivateDestination } from "./egress.ts";

/** What the host is to be. */
export interface HostOptions {
  /** The host's address as the config names it. */
  readonly address: string;
  /** The account that deploys: made at the first contact, root's equal by sudo. */
  readonly deployer: string;
  /** The deployer's public keys, `type base64`: the one that it logs in with, then those that are let in besides. */
  readonly deployerKeys: readonly [string, ...string[]];
  /** People's accounts with sudo: name to public keys. */
  readonly admins: Readonly<Record<string, readonly string[]>>;
  /** The host's pinned public key, `type base64`. */
  readonly hostKey: string;
  /** Port on which sshd answers. */
  readonly sshPort: number;
  /** Networks that neither the connection limit nor the bans hold: CIDR, IPv4 or IPv6. */
  readonly trustedNetworks: readonly string[];
  /** Private networks that containers with internet access may reach; all others are closed to them. */
  readonly privateDestinations: readonly PrivateDestination[];
  /** Networks of proxies before the edge, which the bans from the edge never hold. */
  readonly trustedProxies: readonly string[];
  /** TCP ports that the world may reach besides SSH, published by containers. */
  readonly publicPorts: readonly number[];
  /** UDP ports of that kind: HTTP/3. */
  readonly publicUdpPorts: readonly number[];
  /** Swap in MiB; 0 for none. */
  readonly swapMiB: number;
  /** When security fixes are installed, each day: HH:MM, UTC. */
  readonly upgradeTime: string;
  /** Whose packages of Docker, and which version of them: a glob such as `26.1.*`; unset for the newest. */
  readonly docker: { readonly source: "debian" | "docker"; readonly version?: string | undefined };
}

/** The account of the deployments. */
export const DEPLOYER = "deployer";
/** Owner of the platform's data: no password, no shell, not in the group docker, whose members are as good as root. */
export const OWNER = "trader";
