import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";

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
  "aclfile /run/secrets/users.acl",
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
export class Redis extends pulumi.ComponentResource {
  readonly workload: Workload;

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
    const passwords = pulumi.all(previous === undefined ? [password] : [password, previous]);
    const backup = credentials.require("redis", "redis-backup");
    this.workload = runPart(
      "redis",
      args,
      {
        image: "redis",
        command: ["redis-server", "/etc/autollm/redis.conf"],
        segments: ["data"],
        deploy: "recreate",
        health: ["/bin/sh", "-c", 'REDISCLI_AUTH="$(cat /run/secrets/redis)" redis-cli ping | grep -q PONG'],
        memory: 2 * MAX_DATA_MIB,
        stopTimeout: 30,
        files: {
          "/etc/autollm": { "redis.conf": redisConf },
          "/run/secrets": {
            redis: password,
            "users.acl": pulumi.all([passwords, backup]).apply(([all, copying]) => redisAcl(all, copying)),
          },
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
