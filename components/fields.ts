/** Types of fields that several sections of the config have. */
import { z } from "zod";

/** A TCP or UDP port. */
export const port = z.int().min(1).max(65535);
/** A public key in OpenSSH's form; a comment may follow. */
export const publicKey = z
  .string()
  .regex(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+=*( .*)?$/, "must be a public key: `type base64`");
/** An address or a network. */
export const cidr = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
  "must be an address or a network, such as 203.0.113.7 or 203.0.113.0/24",
);
/** A public key without its comment. */
export const plainKey = publicKey.transform((key) => key.split(" ").slice(0, 2).join(" "));
/** UTC. */
export const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day, UTC, such as 02:00");
/** An account of a host. */
export const account = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "must be an account name in lower case");
