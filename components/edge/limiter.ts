import * as pulumi from "@pulumi/pulumi";
import { slotUser } from "../data/slotUser.ts";
import type { ScrapeTarget } from "../observability/prometheusConfig.ts";
import { httpListen } from "../platform/httpListen.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import type { Workload } from "../runtime/workload.ts";
import { answersHttp } from "../runtime/workloadSpec.ts";

/** Where it serves the edge, /health and /metrics; services/backup/src/limiter.ts says the same. */
const PORT = 9190;

/** The limiter's address for the edge. */
export const LIMITER = `edge-limiter:${PORT}`;
/** The header with the client of a request. */
export const CLIENT_HEADER = "X-Client-Address";

/** Its own metrics. */
export const limiterTarget: ScrapeTarget = { job: "edge-limiter", address: LIMITER };

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
        image: "backup",
        command: ["node", "/app/backup.mjs", "limiter"],
        segments: ["edge-limiter", "redis"],
        serves: ["edge-limiter"],
        // Two at the same time count separately for a moment: twice the limit, once.
        deploy: "rolling",
        health: answersHttp(PORT, "/health"),
        memory: 96,
        environment: {
          NODE_OPTIONS: "--max-old-space-size=48",
          HTTP_LISTEN: httpListen("edge-limiter", ["edge-limiter"]),
          REDIS_USERNAME: slotUser("edge-limiter", credentials.generation("redis-edge-limiter")),
        },
        files: {
          "/run/secrets": { "redis-edge-limiter": credentials.require("edge-limiter", "redis-edge-limiter") },
        },
        credentials: ["redis-edge-limiter"],
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
