import * as pulumi from "@pulumi/pulumi";
import type { ScrapeTarget } from "../observability/prometheusConfig.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { answersHttp, type Workload } from "../runtime/workload.ts";

/** Where it serves the edge, /health and /metrics; services/backup/src/limiter.ts says the same. */
const PORT = 9190;

/** The limiter as the edge asks it, by its name. */
export const LIMITER = `edge-limiter:${PORT}`;
/** The header in which it is told whom a request is from. */
export const CLIENT_HEADER = "X-Client-Address";

/** Its own metrics. */
export const limiterTarget: ScrapeTarget = { job: "edge-limiter", address: LIMITER };

/**
 * Says whether a client may make another attempt at a login. Stock Caddy cannot count, so it asks here before it computes
 * anything of a password. A program of our own, in the image of the other one: it outlives the stand-in application.
 */
export class EdgeLimiter extends pulumi.ComponentResource {
  readonly workload: Workload;

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:edge:EdgeLimiter", name, {}, opts);
    this.workload = runPart(
      "edge-limiter",
      args,
      {
        image: "backup",
        command: ["node", "/app/backup.mjs", "limiter"],
        segments: ["edge-limiter"],
        serves: ["edge-limiter"],
        // Two beside each other for a moment count apart: twice the limit, once.
        deploy: "rolling",
        health: answersHttp(PORT, "/health"),
        memory: 96,
        environment: { NODE_OPTIONS: "--max-old-space-size=48" },
      },
      this,
    );
    this.registerOutputs({});
  }
}
