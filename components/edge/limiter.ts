import * as pulumi from "@pulumi/pulumi";
import { slotUser } from "../data/slotUser.ts";
import { addressOf, hostsOf, portOf } from "../parts.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";

/** The limiter's address for the edge. */
export const LIMITER = addressOf("edge-limiter");
/** The header with the client of a request. */
export const CLIENT_HEADER = "X-Client-Address";

/**
 * Decides whether a client may send another request, or try another login. Stock Caddy cannot count, so it asks here before
 * it handles either. A program of ours in the backup's image: it outlives the stand-in application.
 */
export class EdgeLimiter extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:edge:EdgeLimiter", name, {}, opts);
    const { credentials } = args;
    this.workload = runPart(
      "edge-limiter",
      args,
      {
        command: ["node", "/app/backup.mjs", "limiter"],
        // Two at the same time count separately for a moment: twice the limit, once.
        deploy: "rolling",
        health: answersHttp(portOf("edge-limiter"), "/health"),
        memory: 96,
        environment: {
          NODE_OPTIONS: "--max-old-space-size=48",
          HTTP_LISTEN: hostsOf("edge-limiter").join(),
          REDIS_USERNAME: slotUser("edge-limiter", credentials.generation("redis-edge-limiter")),
        },
        files: {
          "/run/secrets": { "redis-edge-limiter": credentials.require("edge-limiter", "redis-edge-limiter") },
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
