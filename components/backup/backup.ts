import * as pulumi from "@pulumi/pulumi";
import type { CredentialName } from "../credentials/catalogue.ts";
import { credentialFiles } from "../credentials/files.ts";
import { POSTGRES_DATABASE, postgresRoles } from "../data/postgresRoles.ts";
import { hostsOf, portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";
import type { Settings } from "../settings.ts";
import { readableGroups, workloadUser } from "../uids.ts";
import { RestoreTest } from "./restoreTest.ts";

export interface BackupArgs extends PartArgs {
  readonly settings: Pick<Settings, "environment" | "backup">;
  /** The volumes that are saved as they are, by name. */
  readonly volumes: ReadonlyMap<string, StatefulVolume>;
  /** Grafana's, of which the database is saved. */
  readonly grafana: StatefulVolume;
  /** The other volumes in which a damaged file may be set aside, by name: it reports which have one. */
  readonly watched: ReadonlyMap<string, StatefulVolume>;
}

const SAVED = "/saved";
const WATCHED = "/watched";

const always: readonly CredentialName[] = ["postgres-backup", "redis-backup", "nats-backup", "nats-ca", "backup-key"];

/** The backup, each hour, into its own encrypted repository, and its weekly test. It reads everything and writes to its own volume alone. */
export class Backup extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The container that restores for the weekly test: it has neither secrets nor a network. */
  readonly restoreTest: RestoreTest;

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:backup:Backup", name, {}, opts);
    const { target, credentials, settings } = args;
    const { time, everyHours, s3 } = settings.backup;
    const volume = new StatefulVolume(
      "backup-data",
      { target, ...volumeOwner(workloadUser("backup"), args.images) },
      { parent: this },
    );
    if (s3 !== undefined)
      for (const key of ["s3-access-key", "s3-secret-key"] as const) credentials.require("backup", key);
    const wanted = [...always, "backup-key-previous", ...(s3 === undefined ? [] : ["s3-access-key", "s3-secret-key"])];
    const files = credentialFiles(credentials, "backup", wanted as CredentialName[]);
    const config = {
      stack: pulumi.getStack(),
      environment: settings.environment,
      time,
      everyHours,
      database: POSTGRES_DATABASE,
      volumes: Object.fromEntries([...args.volumes.keys()].map((each) => [each, `${SAVED}/${each}`])),
      grafana: `${SAVED}/grafana/grafana.db`,
      watched: {
        "grafana-data": `${SAVED}/grafana`,
        ...Object.fromEntries([...args.watched.keys()].map((each) => [each, `${WATCHED}/${each}`])),
      },
      reads: Object.fromEntries(postgresRoles.map(({ role, reads }) => [role, reads])),
      ...(s3 === undefined ? {} : { s3 }),
    };
    const test = new RestoreTest("restore-test", { ...args, memory: settings.backup.testMemory }, { parent: this });
    this.restoreTest = test;
    this.workload = runPart(
      "backup",
      args,
      {
        command: ["node", "/app/backup.mjs", "serve"],
        groups: readableGroups,
        // The internet only if there is a second repository.
        egress: s3 !== undefined,
        deploy: "recreate",
        health: answersHttp(portOf("backup"), "/health"),
        // Its own name in its locks, so that those of a killed run are known as its own.
        hostname: volume.volumeName,
        memory: 896,
        // It may wait: trading comes first.
        cpuShares: 256,
        environment: {
          TZ: "UTC",
          HTTP_LISTEN: hostsOf("backup").join(),
          GOMEMLIMIT: "384MiB",
          NODE_OPTIONS: "--max-old-space-size=192",
        },
        files: { "/etc/autollm": { "backup.json": `${JSON.stringify(config, null, 2)}\n` }, "/run/secrets": files },
        credentials: Object.keys(files),
        volumes: [
          volume.at("/backup"),
          ...[...args.volumes].map(([each, saved]) => saved.readAt(`${SAVED}/${each}`)),
          args.grafana.readAt(`${SAVED}/grafana`),
          ...[...args.watched].map(([each, watched]) => watched.readAt(`${WATCHED}/${each}`)),
          test.socket,
        ],
        // Grafana's database, for a moment. Nothing that is saved reaches a disk in plain text.
        tmpfs: { "/tmp": 256 },
      },
      { parent: this, dependsOn: test },
    );
    this.registerOutputs({});
  }
}
