import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { callSegments } from "../segments.ts";
import type { OverlappingServer } from "./formerPasswords.ts";
import { overlapScript } from "./overlap.ts";

const aclScript = readFileSync(new URL("redis-acl.sh", import.meta.url), "utf8");

/** MiB of data; the container's limit leaves room for the copy that a snapshot makes. */
const MAX_DATA_MIB = 256;

/** redis.conf: a snapshot each minute with a change (platform.md: `save 60 1`), and a log of each write. */
export const redisConf = [
  "bind * -::*",
  "port 6379",
  "dir /data",
  "save 60 1",
  "appendonly yes",
  "appendfsync everysec",
  `maxmemory ${MAX_DATA_MIB}mb`,
  "maxmemory-policy noeviction",
  "aclfile /tmp/users.acl",
  "",
].join("\n");

/** A password as an ACL takes it: by its SHA-256, so that it may hold any character, and a reader of the file cannot log in. */
const hashed = (password: string) => `#${createHash("sha256").update(password).digest("hex")}`;

/** The ACL: one user for all who work with the data, and one who may only copy the whole of it, as a replica does. */
export function redisAcl(passwords: readonly string[], backupPassword: string): string {
  return [
    `user default on ${passwords.map(hashed).join(" ")} ~* &* +@all`,
    `user backup on ${hashed(backupPassword)} -@all +ping +replconf +psync +sync`,
    "",
  ].join("\n");
}

/** Redis, with a password, a snapshot a minute and a log of each write. */
export class Redis extends pulumi.ComponentResource implements OverlappingServer {
  readonly workload: Workload;
  readonly settle = ["/bin/sh", "/etc/autollm/acl.sh", "settle"];

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Redis", name, {}, opts);
    const { target, credentials } = args;
    const volume = new StatefulVolume(
      "redis-data",
      { target, ...volumeOwner("redis", args.images.get("redis")) },
      { parent: this },
    );
    const password = credentials.require("redis", "redis");
    const previous = credentials.previous("redis", "redis");
    const backup = credentials.require("redis", "redis-backup");
    const acl = (passwords: pulumi.Output<string>[]) =>
      pulumi.all([pulumi.all(passwords), backup]).apply(([all, copying]) => redisAcl(all, copying));
    this.workload = runPart(
      "redis",
      args,
      {
        image: "redis",
        command: ["/bin/sh", "/etc/autollm/acl.sh", "start"],
        segments: ["redis", ...callSegments("redis")],
        serves: ["redis", ...callSegments("redis")],
        deploy: "recreate",
        health: ["/bin/sh", "-c", `REDISCLI_AUTH="$(cat ${LIVE_CURRENT}/redis)" redis-cli ping | grep -q PONG`],
        memory: 2 * MAX_DATA_MIB,
        stopTimeout: 30,
        files: {
          "/etc/autollm": { "redis.conf": redisConf, "acl.sh": aclScript, "overlap.sh": overlapScript },
        },
        live: {
          files: {
            redis: password,
            settled: acl([password]),
            overlap: acl(previous === undefined ? [password] : [password, previous]),
            generations: credentials.overlapping("redis"),
          },
          reload: ["/bin/sh", "/etc/autollm/acl.sh", "reload"],
        },
        credentials: ["redis", "redis-backup"],
        volumes: [volume.at("/data")],
        tmpfs: { "/tmp": 16 },
      },
      this,
    );
    this.registerOutputs({});
  }
}
