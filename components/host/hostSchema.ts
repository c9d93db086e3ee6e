import { z } from "zod";
import { account, cidr, plainKey, port, publicKey, timeOfDay } from "../fields.ts";
import { destinationFault } from "./egress.ts";
import { systemAccounts } from "./systemAccounts.ts";

/** Accounts by name, each with its keys. A system account's programs would be root's equal by sudo. */
const admins = z.record(account, z.array(publicKey).min(1)).superRefine((value, context) => {
  for (const name of Object.keys(value).filter((each) => systemAccounts.has(each))) {
    context.addIssue({ code: "custom", path: [name], message: "is a system account: name an account of a person" });
  }
});
/** A private network that containers may reach: an address or a network, or that with `ports`. */
const privateDestination = z.preprocess(
  (value) => (typeof value === "string" ? { network: value } : value),
  z.strictObject({
    network: cidr.superRefine((value, context) => {
      const message = destinationFault(value);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    }),
    ports: z.array(port).min(1, "must name a port, or be left out for all").optional(),
  }),
);
/** A machine over SSH, which the stack sets up itself. */
export const hostSchema = z.strictObject({
  address: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]*$/, "must be a host name or an IP address"),
  port: port.default(22),
  firstPort: port.default(22),
  user: account.default("root"),
  hostKey: plainKey,
  privateKeyPath: z.string().min(1).default("~/.ssh/id_ed25519"),
  deployerKeys: z.array(plainKey).default([]),
  admins: admins.default({}),
  trustedNetworks: z.array(cidr).default([]),
  privateDestinations: z.array(privateDestination).default([]),
  // After IB Gateway's own restart at 04:45, with New York's exchanges closed in winter and in summer.
  upgradeTime: timeOfDay.default("05:00"),
  swapMiB: z.int().min(0).max(65_536).default(2048),
  docker: z
    .strictObject({
      source: z.enum(["debian", "docker"]).default("debian"),
      version: z
        .string()
        .regex(/^[\w.:+~*-]+$/, "must be a version of the package, such as 26.1.*")
        .optional(),
    })
    .prefault({}),
});
