import * as pulumi from "@pulumi/pulumi";
import { credentialFiles } from "../credentials/files.ts";
import { SERVICE_USER, STAND_IN_COMMAND } from "../platform/standIn.ts";
import { liveLabels } from "../runtime/live.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume } from "../runtime/volume.ts";
import { Workload } from "../runtime/workload.ts";
import type { Settings } from "../settings.ts";
import { ibApiPort } from "./ibPort.ts";

export interface IbGatewayArgs extends PartArgs {
  readonly trading: Settings["trading"];
  /** Run the reference stand-in, where the real image cannot be had: it answers on the API port and trades nothing. */
  readonly standIn: boolean;
  /** Whether its screen can be looked at by VNC. Default false: without a password for it, the image starts no VNC server. */
  readonly vnc: boolean;
}

/** IB Gateway: the way to Interactive Brokers, reached by execution-ib alone. */
export class IbGateway extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: IbGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:broker:IbGateway", name, {}, opts);
    const port = ibApiPort(args.trading.live, args.standIn);
    const shared = {
      segments: ["broker"],
      deploy: "recreate",
      health: ["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`],
      startPeriod: 120,
      stopTimeout: 60,
      labels: liveLabels(args.trading),
    } as const;
    const mode = args.trading.live ? "live" : "paper";
    if (args.standIn) {
      this.workload = new Workload(
        "ib-gateway",
        {
          target: args.target,
          segments: args.segments,
          digestKey: args.credentials.digestKey,
          spec: {
            ...shared,
            image: args.images.get("reference"),
            command: STAND_IN_COMMAND,
            user: SERVICE_USER,
            memory: 256,
            environment: { SERVICE_ROLE: "ib-gateway", TRADING_MODE: mode, TZ: "UTC" },
            tmpfs: { "/tmp": 16 },
          },
        },
        { parent: this },
      );
    } else {
      const secrets = ["tws-userid", "tws-password", ...(args.vnc ? (["vnc"] as const) : [])] as const;
      const settings = new StatefulVolume("ib-gateway-settings", { target: args.target }, { parent: this });
      this.workload = runPart(
        "ib-gateway",
        args,
        {
          ...shared,
          segments: ["broker", "egress"],
          image: "ib-gateway",
          command: ["/home/ibgateway/scripts/run.sh"],
          memory: 1536,
          environment: {
            TRADING_MODE: mode,
            TWS_USERID_FILE: "/run/secrets/tws-userid",
            TWS_PASSWORD_FILE: "/run/secrets/tws-password",
            ...(args.vnc ? { VNC_SERVER_PASSWORD_FILE: "/run/secrets/vnc" } : {}),
            TWS_SETTINGS_PATH: "/settings",
            READ_ONLY_API: "no",
            TZ: "UTC",
          },
          files: {
            "/run/secrets": credentialFiles(args.credentials, "ib-gateway", secrets),
          },
          credentials: secrets,
          volumes: [settings.at("/settings")],
          tmpfs: { "/tmp": 128 },
        },
        this,
      );
    }
    this.registerOutputs({});
  }
}
