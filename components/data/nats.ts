import * as pulumi from "@pulumi/pulumi";
import { serviceNeeds } from "../credentials/catalogue.ts";
import type { Credentials } from "../credentials/credentials.ts";
import { credentialFiles } from "../credentials/files.ts";
import { grantedTo } from "../credentials/grants.ts";
import { natsPermissions, type ServiceName, serviceNames } from "../platform/catalogue.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import { answersHttp, type Workload } from "../runtime/workload.ts";
import { natsUser } from "./natsUser.ts";

/** A user of NATS: a service, its password, and the subjects that it may use. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
  readonly permissions: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
}

const MIB = 1024 * 1024;

/** What the backup may do: ask for the streams and take the server's snapshots of them. */
const backupPermissions: NatsUser["permissions"] = {
  publish: ["$JS.API.STREAM.NAMES", "$JS.API.STREAM.SNAPSHOT.*", "$JS.SNAPSHOT.ACK.>"],
  subscribe: ["_INBOX_backup.>"],
};

/** The services that are users of NATS. */
export const natsServices: readonly ServiceName[] = serviceNames.filter((service) => serviceNeeds(service, "nats"));

/** The server's configuration; NATS reads JSON as its own format. */
export function natsConfig(users: readonly NatsUser[]): string {
  const config = {
    server_name: "nats",
    listen: "0.0.0.0:4222",
    http: "0.0.0.0:8222",
    tls: { cert_file: "/run/secrets/nats-certificate", key_file: "/run/secrets/nats-key", timeout: 5 },
    authorization: {
      timeout: 5,
      users: users.map(({ user, password, permissions }) => ({
        user,
        password,
        permissions: { publish: { allow: permissions.publish }, subscribe: { allow: permissions.subscribe } },
      })),
    },
    jetstream: { store_dir: "/data", max_memory_store: 64 * MIB, max_file_store: 2048 * MIB },
    max_payload: MIB,
    lame_duck_duration: "30s",
    lame_duck_grace_period: "2s",
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** A service's user, and the one of the generation before while that is still taken. */
function usersOf(service: ServiceName, credentials: Credentials): pulumi.Output<NatsUser>[] {
  const generation = credentials.generation(`nats-${service}`);
  const user = (password: pulumi.Output<string>, of: number) =>
    password.apply((value) => ({
      user: natsUser(service, of),
      password: value,
      permissions: natsPermissions(service),
    }));
  const previous = credentials.previous("nats", `nats-${service}`);
  return [
    user(credentials.require("nats", `nats-${service}`), generation),
    ...(previous === undefined ? [] : [user(previous, generation - 1)]),
  ];
}

/** NATS with JetStream: TLS by the platform's own authority, one user a service, and only its own subjects. */
export class Nats extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Nats", name, {}, opts);
    const { target, credentials } = args;
    const volume = new StatefulVolume(
      "nats-data",
      { target, ...volumeOwner("nats", args.images.get("nats")) },
      { parent: this },
    );
    const backup = credentials
      .require("nats", "nats-backup")
      .apply((password) => ({ user: "backup", password, permissions: backupPermissions }));
    const users = pulumi.all([...natsServices.flatMap((service) => usersOf(service, credentials)), backup]);
    this.workload = runPart(
      "nats",
      args,
      {
        image: "nats",
        command: ["nats-server", "--config", "/run/secrets/nats.json"],
        segments: ["apps", "observability"],
        deploy: "recreate",
        health: answersHttp(8222, "/healthz"),
        memory: 512,
        stopTimeout: 30,
        files: {
          "/run/secrets": {
            ...credentialFiles(credentials, "nats", ["nats-ca", "nats-certificate", "nats-key"]),
            "nats.json": users.apply(natsConfig),
          },
        },
        credentials: grantedTo("nats"),
        volumes: [volume.at("/data")],
        tmpfs: { "/tmp": 16 },
      },
      this,
    );
    this.registerOutputs({});
  }
}
