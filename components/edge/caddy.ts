import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import bcrypt from "bcryptjs";
import { publicUrl } from "../outside.ts";
import type { FileTree } from "../runtime/files.ts";
import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";
import { workloadUser } from "../uids.ts";
import { caddyfile, DRAIN_SECONDS, FILES_VARIABLE } from "./caddyfile.ts";
import { certificateFiles, type Domains } from "./domains.ts";
import { routes } from "./routes.ts";
import { type EdgeSockets, withSockets } from "./sockets.ts";

export interface CaddyArgs extends PartArgs {
  /** The component that passes it the sockets of the published ports. */
  readonly sockets: EdgeSockets;
  /** Every host name at which it answers. */
  readonly domains: Domains;
  /** The private keys of the supplied certificates by host name. */
  readonly domainKeys: ReadonlyMap<string, pulumi.Input<string>>;
  readonly httpsPort: number;
  /** Networks from which the admin pages answer; empty for all. */
  readonly adminNetworks: readonly string[];
  /** Networks of proxies before the edge; empty for none. */
  readonly trustedProxies: readonly string[];
  /** Take certificates of Let's Encrypt's staging authority. */
  readonly acmeStaging: boolean;
}

/** Work factor of the login's hash, 2^10 rounds (OWASP Password Storage Cheat Sheet's minimum for bcrypt). */
const BCRYPT_COST = 10;

/** The bcrypt hash of a password under a fixed salt: the same input gives the same file, so no `up` differs by chance. */
export function loginHash(password: string, saltHex: string): string {
  const salt = bcrypt.encodeBase64([...Buffer.from(saltHex, "hex")], 16);
  return bcrypt.hashSync(password, `$2b$${BCRYPT_COST}$${salt}`);
}

const config = (directory: string) => ["--config", `${directory}/Caddyfile`, "--adapter", "caddyfile"];
/** Where a check of the configuration may write; it has no volume. */
const SCRATCH = ["env", "XDG_DATA_HOME=/tmp", "XDG_CONFIG_HOME=/tmp"];

/** The supplied certificates and their keys. */
const certificates = (domains: Domains, keys: CaddyArgs["domainKeys"]): FileTree =>
  Object.fromEntries(
    domains.flatMap((domain) => {
      const { name, chain } = domain;
      const files = certificateFiles(domain);
      return chain === undefined
        ? []
        : [
            [files.certificate, chain],
            [files.key, keys.get(name) ?? ""],
          ];
    }),
  );

/** Seconds beyond the time for requests under way, before Docker kills it: it also releases its locks. */
const END_SECONDS = 5;

/** The only way in from outside: TLS, headers, limits, routes, and a login before the admin pages. */
export class Caddy extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The platform's address. */
  readonly url: string;

  constructor(name: string, args: CaddyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:edge:Caddy", name, {}, opts);
    const { target, credentials, sockets, domains, domainKeys, httpsPort, adminNetworks, trustedProxies, acmeStaging } =
      args;
    this.url = publicUrl({ domain: domains[0].name, httpsPort });
    const volume = new StatefulVolume(
      "caddy-data",
      { target, ...volumeOwner(workloadUser("caddy"), args.images) },
      { parent: this },
    );
    const salt = new random.RandomBytes("caddy-admin-salt", { length: 16 }, { parent: this });
    const login = pulumi
      .all([credentials.require("caddy", "caddy-admin"), salt.hex])
      .apply(([password, saltHex]) => `admin ${loginHash(password, saltHex)}\n`);
    this.workload = runPart(
      "caddy",
      args,
      {
        command: withSockets(["caddy", "run", ...config(LIVE_CURRENT)]),
        // Two for a while: the new one gets new connections, and the previous one finishes what it has begun.
        deploy: "rolling",
        stopTimeout: DRAIN_SECONDS + END_SECONDS,
        health: answersHttp(2019, "/config/"),
        memory: 256,
        environment: { XDG_DATA_HOME: "/data", XDG_CONFIG_HOME: "/config", GOMEMLIMIT: "200MiB" },
        live: {
          files: {
            Caddyfile: caddyfile({
              domains,
              httpsPort,
              routes,
              loginFile: "secrets/login",
              adminNetworks,
              trustedProxies,
              acmeStaging,
            }),
            "secrets/login": login,
            ...certificates(domains, domainKeys),
          },
          check: (directory) => [
            ...SCRATCH,
            `${FILES_VARIABLE}=${directory}`,
            "caddy",
            "validate",
            ...config(directory),
          ],
          reload: ["caddy", "reload", ...config(LIVE_CURRENT)],
        },
        volumes: [volume.at("/data"), sockets.mount],
        tmpfs: { "/tmp": 16, "/config": 16 },
      },
      { parent: this },
    );
    this.registerOutputs({ url: this.url });
  }
}
