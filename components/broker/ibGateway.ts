import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import type { CredentialName } from "../credentials/catalogue.ts";
import { credentialFiles } from "../credentials/files.ts";
import { STAND_IN_COMMAND } from "../platform/standIn.ts";
import { liveLabels } from "../runtime/live.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import type { Settings } from "../settings.ts";
import { IB_GATEWAY_IMAGE } from "../uids.ts";
import { gatewayPort, ibApiPort } from "./ibPort.ts";

export interface IbGatewayArgs extends PartArgs {
  readonly trading: Settings["trading"];
  readonly environment: Settings["environment"];
  readonly imageSource: Settings["imageSource"];
  /** What the owner supplied, for whether there is a login. */
  readonly supplied: ReadonlyMap<CredentialName, unknown>;
  /** Whether its screen can be looked at by VNC. Default false: without a password for it, the image starts no VNC server. */
  readonly vnc: boolean;
}

const startScript = readFileSync(new URL("ib-gateway-start.sh", import.meta.url), "utf8");

/** When it restarts its session by itself, UTC: in the hour in which the broker resets its own systems every night. */
const NIGHTLY_RESTART = "04:45 AM";
/** Seconds in which it must be back from that, before it counts as unhealthy: a restart of its container would ask for the second factor. */
const RESTART_TAKES = 300;

/** A Node program that succeeds if a port of its own machine accepts a connection. */
const connects = (port: number) =>
  `require("node:net").connect(${port}, "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;

/** Seconds in which it must have logged in after its start: its updates, and a second factor that a person confirms, take minutes. */
const LOGIN_TAKES = 900;

const login = ["tws-userid", "tws-password"] as const;

/** Whether the reference stand-in takes its place, which answers on the API port and trades nothing: locally, without its image or a login for it. */
const standsIn = ({ environment, imageSource, supplied }: IbGatewayArgs) =>
  environment === "local" && (imageSource === "local" || !login.every((name) => supplied.has(name)));

/** IB Gateway: the way to Interactive Brokers, reached by execution-ib alone. */
export class IbGateway extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The API port, as execution-ib reaches it. */
  readonly port: number;

  constructor(name: string, args: IbGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:broker:IbGateway", name, {}, opts);
    const port = gatewayPort(args.trading.live);
    const standIn = standsIn(args);
    this.port = ibApiPort(args.trading.live, standIn);
    const shared = {
      deploy: "recreate",
      startPeriod: LOGIN_TAKES,
      stopTimeout: 60,
      labels: liveLabels(args.trading, args.credentials.digestKey),
    } as const;
    const mode = args.trading.live ? "live" : "paper";
    if (standIn) {
      this.workload = runPart(
        "ib-gateway",
        args,
        {
          ...shared,
          image: "reference",
          health: ["node", "-e", connects(port)],
          command: STAND_IN_COMMAND,
          memory: 256,
          environment: { SERVICE_ROLE: "ib-gateway", TRADING_MODE: mode, TZ: "UTC" },
          credentials: [],
          tmpfs: { "/tmp": 16 },
        },
        { parent: this },
      );
    } else {
      const secrets = [...login, ...(args.vnc ? (["vnc"] as const) : [])] as const;
      const settings = new StatefulVolume(
        "ib-gateway-settings",
        { target: args.target, ...volumeOwner(IB_GATEWAY_IMAGE.user, args.images) },
        { parent: this },
      );
      this.workload = runPart(
        "ib-gateway",
        args,
        {
          ...shared,
          egress: true,
          user: IB_GATEWAY_IMAGE.user,
          // Its own port opens once it has logged in. The port that others reach is open before.
          health: ["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`],
          command: ["/bin/bash", "/etc/autollm/start.sh"],
          unhealthyAfter: RESTART_TAKES,
          memory: 1536,
          environment: {
            TRADING_MODE: mode,
            TWS_PASSWORD_FILE: "/run/secrets/tws-password",
            ...(args.vnc ? { VNC_SERVER_PASSWORD_FILE: "/run/secrets/vnc" } : {}),
            TWS_SETTINGS_PATH: "/settings",
            // Its script puts the password into this file.
            IBC_INI: "/run/ibc/config.ini",
            READ_ONLY_API: "no",
            AUTO_RESTART_TIME: NIGHTLY_RESTART,
            TWOFA_TIMEOUT_ACTION: "restart",
            RELOGIN_AFTER_TWOFA_TIMEOUT: "yes",
            TIME_ZONE: "Etc/UTC",
            TZ: "UTC",
          },
          files: {
            "/etc/autollm": { "start.sh": startScript },
            "/run/secrets": credentialFiles(args.credentials, "ib-gateway", secrets),
          },
          credentials: secrets,
          volumes: [settings.at("/settings")],
          // Java's preferences are in the home directory.
          tmpfs: { "/tmp": 128, "/run/ibc": 1, "/home/ibgateway/.java": 16 },
        },
        { parent: this },
      );
    }
    this.registerOutputs({});
  }
}
