import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { serviceNeeds } from "../credentials/catalogue.ts";
import { type ServiceName, type ServiceSpec, serviceNames, services } from "../platform/catalogue.ts";
import { type PartArgs, runPart } from "../runtime/part.ts";
import { StatefulVolume, volumeOwner } from "../runtime/volume.ts";
import type { Workload } from "../runtime/workload.ts";
import { RECOVERY } from "../runtime/workloadSpec.ts";
import { workloadUser } from "../uids.ts";
import type { OverlappingServer } from "./formerPasswords.ts";
import { overlapScript } from "./overlap.ts";
import { backupRules, exporterRules, limiterRules, type RedisUser, redisAcl, serviceRules } from "./redisAcl.ts";
import { slotUser } from "./slotUser.ts";

const aclScript = readFileSync(new URL("redis-acl.sh", import.meta.url), "utf8");

/** MiB of data; the container's limit leaves room for the copy that a snapshot makes. */
const MAX_DATA_MIB = 256;

/** redis.conf: a snapshot each minute with a change (docs/requirements.md: `save 60 1`), and a log of each write. */
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

/** The services that are users of Redis. */
export const redisServices: readonly ServiceName[] = serviceNames.filter((service) => serviceNeeds(service, "redis"));

/** Who logs in by a user in two slots: its name and rights, by its credential. */
const slotted = [
  ...redisServices.map((service) => {
    const { redis }: ServiceSpec = services[service];
    return { credential: `redis-${service}`, name: service, rules: serviceRules(redis ?? { keys: [] }) } as const;
  }),
  { credential: "redis-exporter", name: "exporter", rules: exporterRules } as const,
  { credential: "redis-edge-limiter", name: "edge-limiter", rules: limiterRules } as const,
];

/** Redis: one user per service, each with its own keys, a snapshot a minute and a log of each write. */
export class Redis extends pulumi.ComponentResource implements OverlappingServer {
  readonly workload: Workload;
  /** Its data. */
  readonly volume: StatefulVolume;
  readonly settle = ["/bin/sh", "/etc/autollm/acl.sh", "settle"];

  constructor(name: string, args: PartArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:data:Redis", name, {}, opts);
    const { target, credentials } = args;
    this.volume = new StatefulVolume(
      "redis-data",
      { target, ...volumeOwner(workloadUser("redis"), args.images) },
      { parent: this },
    );
    const user = (name: string, password: pulumi.Output<string>, rules: readonly string[]): pulumi.Output<RedisUser> =>
      password.apply((value) => ({ user: name, password: value, rules }));
    const settled = [
      ...slotted.map(({ credential, name, rules }) =>
        user(slotUser(name, credentials.generation(credential)), credentials.require("redis", credential), rules),
      ),
      user("backup", credentials.require("redis", "redis-backup"), backupRules),
    ];
    const former = slotted.flatMap(({ credential, name, rules }) => {
      const password = credentials.previous("redis", credential);
      return password === undefined
        ? []
        : [user(slotUser(name, credentials.generation(credential) - 1), password, rules)];
    });
    this.workload = runPart(
      "redis",
      args,
      {
        command: ["/bin/sh", "/etc/autollm/acl.sh", "start"],
        deploy: "recreate",
        health: ["/bin/sh", "/etc/autollm/acl.sh", "ping"],
        startPeriod: RECOVERY,
        memory: 2 * MAX_DATA_MIB,
        stopTimeout: 30,
        files: {
          "/etc/autollm": { "redis.conf": redisConf, "acl.sh": aclScript, "overlap.sh": overlapScript },
        },
        live: {
          files: {
            settled: pulumi.all(settled).apply(redisAcl),
            overlap: pulumi.all([...settled, ...former]).apply(redisAcl),
            generations: credentials.overlapping("redis"),
          },
          reload: ["/bin/sh", "/etc/autollm/acl.sh", "reload"],
        },
        volumes: [this.volume.at("/data")],
        tmpfs: { "/tmp": 16 },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
