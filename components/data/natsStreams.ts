import * as pulumi from "@pulumi/pulumi";
import { credentialFiles } from "../credentials/files.ts";
import { grantedTo } from "../credentials/grants.ts";
import { hostsOf, portOf } from "../parts.ts";
import { streams } from "../platform/streams.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp, RECOVERY } from "../runtime/workloadSpec.ts";

/** The streams and consumers as the stream keeper reads them. */
export function streamsFile(): string {
  const table = streams.map(({ name, purpose, subjects, size, consumers }) => ({
    ...{ name, purpose, subjects, size },
    consumers: consumers.map((consumer) => ({ name: consumer.name, subject: consumer.subject })),
  }));
  return `${JSON.stringify(table, null, 2)}\n`;
}

/**
 * The stream keeper: keeps NATS's streams, their subjects and durable consumers as declared in the platform's table, before a
 * service starts, and if one is changed or removed. A program of our own in the backup's image, so it outlives the stand-in services.
 */
export class NatsStreams extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:NatsStreams", name, {}, opts);
    this.workload = runPart(
      "nats-streams",
      args,
      {
        command: ["node", "/app/backup.mjs", "keep-streams"],
        // Two would keep two tables, where an update changes it.
        deploy: "recreate",
        health: answersHttp(portOf("nats-streams"), "/health"),
        // An update from a single stream copies what waits in it.
        startPeriod: RECOVERY,
        memory: 96,
        environment: {
          NODE_OPTIONS: "--max-old-space-size=48",
          HTTP_LISTEN: hostsOf("nats-streams").join(),
        },
        files: {
          "/etc/autollm": { "streams.json": streamsFile() },
          "/run/secrets": credentialFiles(args.credentials, "nats-streams", grantedTo("nats-streams")),
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
