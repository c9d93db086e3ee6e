import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, type VolumeMount, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";
import { workloadUser } from "../uids.ts";

export interface RestoreTestArgs extends PartArgs {
  /** MiB that the restored database may take. */
  readonly memory: number;
}

const recoverScript = readFileSync(new URL("recover.sh", import.meta.url), "utf8");

/** Where it answers its health check, on its loopback; services/backup/src/scratch.ts says the same. */
const HEALTH_PORT = 9181;
/** What Postgres and the program take besides the data. */
const PROGRAM_MEMORY = 256;
const SOCKET = "/restore-test";

/**
 * Restores a backup's dumps for the weekly test. A schema's owner may have put code into it, which a restore runs: so it runs
 * here, where there is no secret and no network, as the role that owns it, in a database that is in memory and is thrown away. The
 * backup passes it the dumps over a Unix socket, and gets numbers back; so does the archive of Postgres's log with a base backup.
 */
export class RestoreTest extends pulumi.ComponentResource {
  readonly workload: Workload;
  /** The folder of the socket, as those mount it that have something restored. */
  readonly socket: VolumeMount;

  constructor(name: string, args: RestoreTestArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:backup:RestoreTest", name, {}, opts);
    const volume = new StatefulVolume(
      "restore-test-socket",
      { target: args.target, ...volumeOwner(workloadUser("restore-test"), args.images) },
      { parent: this },
    );
    this.workload = runPart(
      "restore-test",
      args,
      {
        command: ["node", "/app/backup.mjs", "restore-test"],
        deploy: "recreate",
        health: answersHttp(HEALTH_PORT, "/"),
        memory: args.memory + PROGRAM_MEMORY,
        files: { "/etc/autollm": { "recover.sh": recoverScript } },
        cpuShares: 128,
        environment: { TZ: "UTC", NODE_OPTIONS: "--max-old-space-size=96" },
        volumes: [volume.at(SOCKET)],
        tmpfs: { "/tmp": 16, "/scratch": args.memory },
      },
      { parent: this },
    );
    this.socket = volume.readAt(SOCKET);
    this.registerOutputs({});
  }
}
