import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { images, type ThirdPartyImage } from "../images.ts";
import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { RECOVERY } from "../runtime/workloadSpec.ts";
import { workloadUser } from "../uids.ts";
import type { OverlappingServer } from "./formerPasswords.ts";
import {
  endFormerSessionsSql,
  POSTGRES_RESTORED,
  postgresRoles,
  postgresSetupSql,
  WAL_ARCHIVE_ROLE,
} from "./postgresRoles.ts";
import { postgresVersionClaim } from "./postgresVersion.ts";
import { scramVerifier } from "./scram.ts";

const startScript = readFileSync(new URL("postgres-start.sh", import.meta.url), "utf8");

const PSQL = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"];

/**
 * Access by role and password only; the superuser never over the network. A database that is being restored is reached from
 * within the container alone: each role's objects are restored by a session of its own, and the container needs no password for it,
 * as it needs none for the superuser.
 */
export const pgHba = [
  "local all postgres trust",
  `local ${POSTGRES_RESTORED} all trust`,
  "local all all scram-sha-256",
  "host all postgres all reject",
  `host ${POSTGRES_RESTORED} all all reject`,
  // `all` is every database, and replication is none.
  `host replication ${WAL_ARCHIVE_ROLE} samenet scram-sha-256`,
  `host all ${WAL_ARCHIVE_ROLE} all reject`,
  "host all all samenet scram-sha-256",
  "",
].join("\n");

/** Seconds after which Postgres closes a segment of its log that has a commit. Storing it takes some more: at most 60 s in all. */
export const WAL_SWITCH_SECONDS = 30;

/** Sized for a limit of 1 GiB. */
export const postgresConf = [
  "data_directory = '/var/lib/postgresql/data/pgdata'",
  "hba_file = '/etc/autollm/pg_hba.conf'",
  "listen_addresses = '*'",
  "unix_socket_directories = '/tmp'",
  "max_connections = 100",
  "shared_buffers = 128MB",
  "dynamic_shared_memory_type = mmap",
  "password_encryption = scram-sha-256",
  "log_timezone = UTC",
  "timezone = UTC",
  "log_min_duration_statement = 1000",
  // A commit is in a segment of the log that is closed, and so can be stored, after this time.
  `archive_timeout = ${WAL_SWITCH_SECONDS}s`,
  // What waits for the WAL archive, at most: beyond that it is given up, and a base backup is made instead.
  "max_slot_wal_keep_size = 2GB",
  "",
].join("\n");

/** A command line inside the container, by which the superuser runs a script. */
const script = (file: string) => ["psql", ...PSQL, "--host=/tmp", "--username=postgres", `--file=${file}`];

/** Whether an image holds its data directory with its user as owner. */
const isBrought = ({ dataDirs }: ThirdPartyImage) => dataDirs.every(({ owner }) => owner === "image");

/** Postgres, with one role per service and the current passwords applied at every start. */
export class Postgres extends pulumi.ComponentResource implements OverlappingServer {
  readonly workload: Workload;
  readonly settle = script("/etc/autollm/end-former-sessions.sql");

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Postgres", name, {}, opts);
    const { target, credentials } = args;
    // Its image brings the directory with its user as owner, up to 17.
    const owner = isBrought(images.postgres) ? {} : volumeOwner(workloadUser("postgres"), args.images);
    const volume = new StatefulVolume("postgres-data", { target, ...owner }, { parent: this });
    const verifiers = pulumi.all(
      postgresRoles.map(({ role, credential }) =>
        pulumi
          .all([credentials.require("postgres", credential), credentials.digestKey])
          .apply(([password, key]) => [credential, scramVerifier(role, password, key)] as const),
      ),
    );
    this.workload = runPart(
      "postgres",
      args,
      {
        command: ["/bin/sh", "/etc/autollm/start.sh"],
        deploy: "recreate",
        health: ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=exporter"],
        startPeriod: RECOVERY,
        memory: 1024,
        stopTimeout: 60,
        files: {
          "/etc/autollm": {
            "start.sh": startScript,
            "postgresql.conf": postgresConf,
            "pg_hba.conf": pgHba,
            "end-former-sessions.sql": endFormerSessionsSql,
          },
        },
        live: {
          files: { "roles.sql": verifiers.apply((all) => postgresSetupSql(new Map(all))) },
          // A session outlives the password that opened it, so none is ended before `settle`.
          reload: script(`${LIVE_CURRENT}/roles.sql`),
        },
        volumes: [volume.at("/var/lib/postgresql/data")],
        tmpfs: { "/tmp": 64 },
        claim: postgresVersionClaim({
          ...{ target, image: args.images.get("postgres"), user: workloadUser("postgres") },
          volume: volume.volumeName,
        }),
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
