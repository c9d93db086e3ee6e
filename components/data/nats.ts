import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { serviceNeeds } from "../credentials/catalogue.ts";
import { credentialFiles } from "../credentials/files.ts";
import { isExecutor, type ServiceName, serviceNames } from "../platform/catalogue.ts";
import type { KillSwitchMount } from "../platform/killSwitchMount.ts";
import { type NatsPermissions, natsPermissions, STREAMS_USER, streamsPermissions } from "../platform/natsRights.ts";
import { APPROVED_ORDERS } from "../platform/subjects.ts";
import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { RECOVERY } from "../runtime/workloadSpec.ts";
import { nameIn } from "../segments.ts";
import type { Settings } from "../settings.ts";
import { workloadUser } from "../uids.ts";
import type { OverlappingServer } from "./formerPasswords.ts";
import { overlapScript } from "./overlap.ts";
import { slotUser } from "./slotUser.ts";

const usersScript = readFileSync(new URL("nats-users.sh", import.meta.url), "utf8");

/** A user of NATS: a service, its password, and the subjects that it may use. */
export interface NatsUser {
  readonly user: string;
  /** The service whose user it is; absent for a component. */
  readonly service?: ServiceName;
  readonly password: string;
  readonly permissions: NatsPermissions;
}

const MIB = 1024 * 1024;
/** Where it answers for its monitoring. */
const MONITORING = `${nameIn("nats", "nats")}:8222`;

/** What the backup may do: ask for the streams and take the server's snapshots of them. */
const backupPermissions: NatsUser["permissions"] = {
  publish: ["$JS.API.STREAM.NAMES", "$JS.API.STREAM.SNAPSHOT.*", "$JS.SNAPSHOT.ACK.>"],
  subscribe: ["_INBOX_backup.>"],
};

/** The services that are users of NATS. */
export const natsServices: readonly ServiceName[] = serviceNames.filter((service) => serviceNeeds(service, "nats"));

/** The server's configuration, without its users, which are hot-reloaded. NATS reads JSON as its own format. */
export function natsConfig(): string {
  const config = {
    server_name: "nats",
    listen: "0.0.0.0:4222",
    // Its monitoring has no login: the services do not reach it.
    http: MONITORING,
    tls: { cert_file: `${LIVE_CURRENT}/nats-certificate`, key_file: `${LIVE_CURRENT}/nats-key`, timeout: 5 },
    jetstream: {
      store_dir: "/data",
      max_memory_store: 64 * MIB,
      max_file_store: 2048 * MIB,
      // What is acknowledged is on disk: by default NATS would flush every two minutes, and a power cut would take what came since.
      sync_interval: "always",
    },
    max_payload: MIB,
    lame_duck_duration: "30s",
    lame_duck_grace_period: "2s",
  };
  const lines = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value, null, 2)}`);
  // A path is taken from the directory of this file.
  return [...lines, 'include "../../tmp/users.conf"', ""].join("\n");
}

/**
 * The users, as the configuration includes them.
 * @param refused subjects on which nobody may publish
 */
export function natsUsers(users: readonly NatsUser[], refused: readonly string[] = []): string {
  const authorization = {
    timeout: 5,
    users: users.map(({ user, password, permissions }) => ({
      user,
      password,
      permissions: {
        publish: { allow: permissions.publish, ...(refused.length === 0 ? {} : { deny: refused }) },
        subscribe: { allow: permissions.subscribe },
      },
    })),
  };
  return `authorization: ${JSON.stringify(authorization, null, 2)}\n`;
}

/**
 * The users while the kill switch is on: no executor is among them, and no approved order is accepted, so that none waits in a
 * stream until the switch is off.
 */
export function haltedUsers(users: readonly NatsUser[]): string {
  const others = users.filter(({ service }) => service === undefined || !isExecutor(service));
  return natsUsers(others, [APPROVED_ORDERS]);
}

export interface NatsArgs extends PartArgs {
  /** The additional rights of the services' images. */
  readonly settings: Pick<Settings, "application" | "release">;
  /** Where it sees the kill switch. */
  readonly killSwitch: KillSwitchMount;
}

/** NATS with JetStream: TLS by the platform's own authority, one user per service, and only its own subjects. */
export class Nats extends pulumi.ComponentResource implements OverlappingServer {
  readonly workload: Workload;
  /** Directory on the Docker host that is mounted at `LIVE_MOUNT`. */
  readonly directory: string;
  readonly settle = ["/bin/sh", "/etc/autollm/users.sh", "settle"];

  constructor(name: string, args: NatsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Nats", name, {}, opts);
    const { target, credentials, settings } = args;
    const volume = new StatefulVolume(
      "nats-data",
      { target, ...volumeOwner(workloadUser("nats"), args.images) },
      { parent: this },
    );
    const backup = credentials
      .require("nats", "nats-backup")
      .apply((password): NatsUser => ({ user: "backup", password, permissions: backupPermissions }));
    const streams = credentials
      .require("nats", "nats-streams")
      .apply((password): NatsUser => ({ user: STREAMS_USER, password, permissions: streamsPermissions }));
    /** A service's user of a generation. */
    const userOf = (service: ServiceName, generation: number, password: pulumi.Output<string>) =>
      password.apply(
        (value): NatsUser => ({
          ...{ user: slotUser(service, generation), service },
          password: value,
          permissions: natsPermissions(service, settings),
        }),
      );
    const settled = natsServices.map((service) =>
      userOf(service, credentials.generation(`nats-${service}`), credentials.require("nats", `nats-${service}`)),
    );
    const former = natsServices.flatMap((service) => {
      const password = credentials.previous("nats", `nats-${service}`);
      return password === undefined ? [] : [userOf(service, credentials.generation(`nats-${service}`) - 1, password)];
    });
    const parts = [backup, streams];
    const sets = {
      settled: pulumi.all([...settled, ...parts]),
      overlap: pulumi.all([...settled, ...former, ...parts]),
    };
    this.workload = runPart(
      "nats",
      args,
      {
        command: ["/bin/sh", "/etc/autollm/users.sh", "start"],
        deploy: "recreate",
        health: ["wget", "-q", "-O", "/dev/null", `http://${MONITORING}/healthz`],
        startPeriod: RECOVERY,
        memory: 512,
        stopTimeout: 30,
        files: {
          "/etc/autollm": { "nats.conf": natsConfig(), "users.sh": usersScript, "overlap.sh": overlapScript },
        },
        live: {
          files: {
            ...credentialFiles(credentials, "nats", ["nats-ca", "nats-certificate", "nats-key"]),
            settled: sets.settled.apply((users) => natsUsers(users)),
            "settled-halted": sets.settled.apply(haltedUsers),
            overlap: sets.overlap.apply((users) => natsUsers(users)),
            "overlap-halted": sets.overlap.apply(haltedUsers),
            generations: credentials.overlapping("nats"),
          },
          reload: ["/bin/sh", "/etc/autollm/users.sh", "reload"],
        },
        hostMounts: [args.killSwitch.mount],
        volumes: [volume.at("/data")],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    const { liveDirectory } = this.workload;
    if (liveDirectory === undefined) throw new Error("nats has no hot-reloaded files");
    this.directory = liveDirectory;
    this.registerOutputs({});
  }
}
