import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { credentialFiles } from "../credentials/files.ts";
import { grantedTo } from "../credentials/grants.ts";
import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { callSegments } from "../segments.ts";
import { postgresSetupSql } from "./postgres-roles.ts";

const startScript = readFileSync(new URL("postgres-start.sh", import.meta.url), "utf8");

const PSQL = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"];

/** Access by role and password only; the superuser never over the network. */
export const pgHba = [
  "local all postgres trust",
  "local all all scram-sha-256",
  "host all postgres all reject",
  "host all all samenet scram-sha-256",
  "",
].join("\n");

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
  "",
].join("\n");

/** Postgres, with one role a service and the current passwords applied at every start. */
export class Postgres extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Postgres", name, {}, opts);
    const { target, credentials } = args;
    const volume = new StatefulVolume(
      "postgres-data",
      { target, ...volumeOwner("postgres", args.images.get("postgres")) },
      { parent: this },
    );
    const granted = grantedTo("postgres");
    this.workload = runPart(
      "postgres",
      args,
      {
        image: "postgres",
        command: ["/bin/sh", "/etc/autollm/start.sh"],
        segments: ["postgres", ...callSegments("postgres")],
        serves: ["postgres", ...callSegments("postgres")],
        deploy: "recreate",
        health: ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=exporter"],
        startPeriod: 60,
        memory: 1024,
        stopTimeout: 60,
        files: {
          "/etc/autollm": {
            "start.sh": startScript,
            "postgresql.conf": postgresConf,
            "pg_hba.conf": pgHba,
          },
        },
        live: {
          files: {
            "roles.sql": postgresSetupSql(LIVE_CURRENT),
            ...credentialFiles(credentials, "postgres", granted),
          },
          // A connection outlives the password by which it was made, so nobody is cut off.
          reload: ["psql", ...PSQL, "--host=/tmp", "--username=postgres", `--file=${LIVE_CURRENT}/roles.sql`],
        },
        credentials: granted,
        volumes: [volume.at("/var/lib/postgresql/data")],
        tmpfs: { "/tmp": 64 },
      },
      this,
    );
    this.registerOutputs({});
  }
}
