import * as pulumi from "@pulumi/pulumi";
import type { CredentialName } from "../credentials/catalogue.ts";
import { credentialFiles } from "../credentials/files.ts";
import { POSTGRES_DATABASE } from "../data/postgresRoles.ts";
import { hostsOf, portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, type VolumeMount, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";
import type { Settings } from "../settings.ts";
import { workloadUser } from "../uids.ts";

export interface WalArchiveArgs extends PartArgs {
  readonly settings: Pick<Settings, "backup">;
  /** The folder of the socket at which the container for restore tests listens. */
  readonly restoreTest: VolumeMount;
}

/** Hours between two base backups: recovery reads all of the log since the last one. */
const BASE_HOURS = 24;
const ALWAYS: readonly CredentialName[] = ["postgres-wal-archive", "backup-key", "backup-key-previous"];

/**
 * Stores Postgres's write-ahead log as it is written, and a base backup each day, encrypted: in its own volume and, if there is a
 * second place, there too. From these Postgres can be restored to any second.
 */
export class WalArchive extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: WalArchiveArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:backup:WalArchive", name, {}, opts);
    const { target, credentials } = args;
    const { s3, pointInTimeDays: days } = args.settings.backup;
    const keys = s3 === undefined ? [] : (["s3-access-key", "s3-secret-key"] as const);
    for (const key of keys) credentials.require("wal-archive", key);
    const files = credentialFiles(credentials, "wal-archive", [...ALWAYS, ...keys]);
    const volume = new StatefulVolume(
      "wal-archive-data",
      { target, ...volumeOwner(workloadUser("wal-archive"), args.images) },
      { parent: this },
    );
    const config = { days, baseHours: BASE_HOURS, database: POSTGRES_DATABASE, ...(s3 === undefined ? {} : { s3 }) };
    this.workload = runPart(
      "wal-archive",
      args,
      {
        command: ["node", "/app/backup.mjs", "wal-archive"],
        // The internet only if there is a second place.
        egress: s3 !== undefined,
        deploy: "recreate",
        health: answersHttp(portOf("wal-archive"), "/health"),
        memory: 192,
        cpuShares: 256,
        environment: {
          TZ: "UTC",
          HTTP_LISTEN: hostsOf("wal-archive").join(),
          NODE_OPTIONS: "--max-old-space-size=48",
        },
        files: {
          "/etc/autollm": { "wal-archive.json": `${JSON.stringify(config, null, 2)}\n` },
          "/run/secrets": files,
        },
        credentials: Object.keys(files),
        volumes: [volume.at("/archive"), args.restoreTest],
        // Decrypted log for a moment, while a restore reads it.
        tmpfs: { "/tmp": 48 },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
