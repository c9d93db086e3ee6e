import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import bcrypt from "bcryptjs";
import { LIVE_CURRENT, LIVE_DRAINING } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import { answersHttp, type Workload } from "../runtime/workload.ts";
import { caddyfile } from "./caddyfile.ts";
import { routes } from "./routes.ts";

export interface CaddyArgs extends PartArgs {
  readonly domain: string;
  readonly bindAddress: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Networks from which the admin pages answer; empty for all. */
  readonly adminNetworks: readonly string[];
}

/** Work factor of the login's hash, 2^10 rounds (OWASP Password Storage Cheat Sheet's minimum for bcrypt). */
const BCRYPT_COST = 10;

/** The bcrypt hash of a password under a fixed salt: the same input gives the same file, so no `up` differs by chance. */
export function loginHash(password: string, saltHex: string): string {
  const salt = bcrypt.encodeBase64([...Buffer.from(saltHex, "hex")], 16);
  return bcrypt.hashSync(password, `$2b$${BCRYPT_COST}$${salt}`);
}

const config = (directory: string) => ["--config", `${directory}/Caddyfile`, "--adapter", "caddyfile"];
/** Longer than a client that works pauses between two requests. */
const DRAIN_SECONDS = 5;
/** Where a check, which has no volume, may write. */
const SCRATCH = ["env", "XDG_DATA_HOME=/tmp", "XDG_CONFIG_HOME=/tmp"];

/** The one door to the outside: TLS, headers, limits, routes, and a login before the admin pages. */
export class Caddy extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** Where the platform answers. */
  readonly url: string;

  constructor(name: string, args: CaddyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:edge:Caddy", name, {}, opts);
    const { target, credentials, domain, bindAddress, httpPort, httpsPort, adminNetworks } = args;
    this.url = `https://${domain}${httpsPort === 443 ? "" : `:${httpsPort}`}`;
    const volume = new StatefulVolume(
      "caddy-data",
      { target, ...volumeOwner("caddy", args.images.get("caddy")) },
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
        image: "caddy",
        command: ["caddy", "run", ...config(LIVE_CURRENT)],
        segments: ["public", "edge", "observability"],
        deploy: "recreate",
        health: answersHttp(2019, "/config/"),
        memory: 256,
        environment: { XDG_DATA_HOME: "/data", XDG_CONFIG_HOME: "/config", GOMEMLIMIT: "200MiB" },
        live: {
          files: {
            Caddyfile: caddyfile({
              domain,
              httpsPort,
              routes,
              loginFile: "secrets/login",
              adminNetworks,
              drainingFile: LIVE_DRAINING,
            }),
            "secrets/login": login,
          },
          check: (directory) => [...SCRATCH, "caddy", "validate", ...config(directory)],
          reload: ["caddy", "reload", ...config(LIVE_CURRENT)],
          drainSeconds: DRAIN_SECONDS,
        },
        credentials: ["caddy-admin"],
        volumes: [volume.at("/data")],
        tmpfs: { "/tmp": 16, "/config": 16 },
        ports: [
          { internal: 8080, external: httpPort, address: bindAddress },
          { internal: 8443, external: httpsPort, address: bindAddress },
          { internal: 8443, external: httpsPort, address: bindAddress, protocol: "udp" },
        ],
      },
      this,
    );
    this.registerOutputs({ url: this.url });
  }
}
