import * as types from "../../../policies/lib/types.ts";
import { type Props, UNKNOWN } from "../../../policies/lib/value.ts";
import { command, container, inStack, labelsOf, password, resource, secret, stdin } from "../fixtures.ts";
import type { RuleCases } from "./types.ts";

const as = (service: string) => ({ "autollm.service": service });
const typed = (type: string) => resource(type, {}, { name: "thing" });
const mount = (more: Props): Props => ({
  mounts: [{ type: "bind", source: "/srv/x", target: "/mnt", readOnly: true, ...more }],
});
const volumeMount = (source: string | typeof UNKNOWN, readOnly = false): Props => ({
  mounts: [{ type: "volume", source, target: "/data", readOnly }],
});
const volume = (name: string) => inStack(resource(types.VOLUME, { name: `${name}-1a2b3c4` }, { name }));
/** A container whose mounts come from volumes that are not named yet. */
const mounting = (service: string, volumes: readonly string[], readOnly = false) => {
  const behind = volumes.map(volume);
  const mounts: Props[] = volumes.map(() => ({ type: "volume", source: UNKNOWN, target: "/data", readOnly }));
  const subject = inStack(container({ props: { mounts }, labels: as(service) }));
  return [...behind, { ...subject, propertyDependencies: { mounts: behind } }];
};
const generated = secret();

/** What works by a list of what is allowed. */
export const allowedCases: Readonly<Record<string, RuleCases>> = {
  "resource-listed": {
    pass: {
      "a container": container(),
      "a component of the program": typed("autollm:edge:Caddy"),
      "the stack itself": typed(types.STACK),
      "a provider": typed("pulumi:providers:random"),
    },
    fail: {
      "a service of Swarm": typed("docker:index/service:Service"),
      "a plugin of Docker": typed("docker:index/plugin:Plugin"),
      "a secret of Docker": typed("docker:index/secret:Secret"),
      "a config of Docker": typed("docker:index/serviceConfig:ServiceConfig"),
      "a tag of an image": typed("docker:index/tag:Tag"),
      "an image that the engine builds": typed("docker:index/image:Image"),
      "code in the state": typed("pulumi-nodejs:dynamic:Resource"),
      "a provider of code in the state": typed("pulumi:providers:pulumi-nodejs"),
      "another stack's outputs": typed("pulumi:pulumi:StackReference"),
      "another package": typed("aws:s3/bucket:Bucket"),
      "a component of another package": typed("other:edge:Caddy"),
      "a file that is copied": typed("command:remote:CopyToRemote"),
      "a password that is shown": typed("random:index/randomString:RandomString"),
    },
  },
  "supplied-credential-strong": {
    config: {
      pass: { "autollm:domain": "bototo.example.com", "autollm:caddy-admin": generated, "autollm:smtp-user": "admin" },
      fail: { "autollm:domain": "bototo.example.com", "autollm:caddy-admin": "bototo-2026!" },
    },
    pass: { "strong ones": [inStack(typed(types.STACK))] },
    fail: { "the stack's own name, which reaches the resources as a hash": [inStack(typed(types.STACK))] },
  },
  "container-inputs-listed": {
    pass: {
      "as Workload makes it": container(),
      "the provider's defaults": container({ props: { attach: false, tty: false, rm: false, __defaults: ["attach"] } }),
      "Docker's own runtime": container({ props: { runtime: "runc" } }),
    },
    fail: {
      "all mounts of another container": container({ props: { volumes: [{ fromContainer: "redis-1a2b3c4" }] } }),
      "a volume by the other way": container({ props: { volumes: [{ volumeName: "x", containerPath: "/x" }] } }),
      "volumes that nobody knows yet": container({ props: { volumes: UNKNOWN } }),
      "an upload": container({ props: { uploads: [{ file: "/x", content: "x" }] } }),
      "another runtime": container({ props: { runtime: "runsc" } }),
      "a group": container({ props: { groupAdds: ["docker"] } }),
      limits: container({ props: { ulimits: [{ name: "core", soft: -1, hard: -1 }] } }),
      "another control group": container({ props: { cgroupParent: "/system.slice" } }),
      "another server of names": container({ props: { dns: ["192.0.2.53"] } }),
      "options for names": container({ props: { dnsOpts: ["use-vc"] } }),
      "a domain for names": container({ props: { dnsSearches: ["example.com"] } }),
      "names of hosts": container({ props: { hosts: [{ host: "postgres", ip: "192.0.2.7" }] } }),
      "a graphics card": container({ props: { gpus: "all" } }),
      devices: container({ props: { devices: [{ hostPath: "/dev/mem" }] } }),
      "options of the storage": container({ props: { storageOpts: { size: "1T" } } }),
      "an open standard input": container({ props: { stdinOpen: true } }),
      "a setting of the kernel": container({ props: { sysctls: { "net.ipv4.ip_forward": "1" } } }),
      "what a newer provider may bring": container({ props: { annotations: { run: "x" } } }),
    },
  },
  "container-network-named": {
    pass: {
      "a network of the stack": container(),
      "none at all": container({ props: { networkMode: "none", networksAdvanced: [] } }),
      "not known yet": container({ props: { networksAdvanced: UNKNOWN } }),
    },
    fail: {
      "Docker's default": container({ props: { networkMode: "bridge", networksAdvanced: [] } }),
      "nothing said": container({ props: { networkMode: undefined, networksAdvanced: undefined } }),
      "the host's": container({ props: { networkMode: "host", networksAdvanced: [] } }),
      "another container's": container({ props: { networkMode: "container:redis" } }),
      "a network that is named as a mode": container({ props: { networkMode: "lan" } }),
      "the default bridge by its name": container({ props: { networksAdvanced: [{ name: "bridge" }] } }),
    },
  },
  "container-volumes-own": {
    pass: {
      "its own": container({ props: volumeMount("redis-data-1a2b3c4") }),
      "a service's own": container({ props: volumeMount("risk-state-1a2b3c4"), labels: as("risk-manager") }),
      "what the backup saves": container({ props: volumeMount("grafana-data-1a2b3c4", true), labels: as("backup") }),
      "not known yet": container({ props: volumeMount(UNKNOWN) }),
    },
    fail: {
      "another's": container({ props: volumeMount("postgres-data-1a2b3c4"), labels: as("gateway-api") }),
      "another's, to read": container({ props: volumeMount("postgres-data-1a2b3c4", true), labels: as("gateway-api") }),
      "what the backup saves, writable": container({
        props: volumeMount("grafana-data-1a2b3c4"),
        labels: as("backup"),
      }),
      "the backup's": container({ props: volumeMount("backup-data-1a2b3c4"), labels: as("reporter") }),
      "one that nobody knows": container({ props: volumeMount("other-1a2b3c4") }),
      "one that only begins alike": container({ props: volumeMount("redis-data-old") }),
    },
  },
  "volumes-needed": {
    pass: {
      "its own, not named yet": mounting("redis", ["redis-data"]),
      "those that the backup reads": mounting("backup", ["backup-data", "grafana-data", "risk-state"], true),
      "its own by name": [volume("redis-data"), inStack(container({ props: volumeMount("redis-data-1a2b3c4") }))],
    },
    fail: {
      "another's, not named yet": mounting("gateway-api", ["postgres-data"]),
      "another's, not named yet, to read": mounting("gateway-api", ["postgres-data"], true),
      "what the backup saves, writable": mounting("backup", ["grafana-data"]),
      "another's by name": [
        volume("nats-data"),
        inStack(container({ props: volumeMount("nats-data-1a2b3c4"), labels: as("reporter") })),
      ],
      "one that nobody knows": mounting("redis", ["stranger"]),
    },
  },
  "volume-plain": {
    pass: { plain: resource(types.VOLUME, {}), local: resource(types.VOLUME, { driver: "local", driverOpts: {} }) },
    fail: {
      "a directory of the host": resource(types.VOLUME, { driverOpts: { type: "none", o: "bind", device: "/srv" } }),
      "a share on the network": resource(types.VOLUME, { driverOpts: { type: "nfs", device: ":/x" } }),
      "options that nobody knows yet": resource(types.VOLUME, { driverOpts: UNKNOWN }),
      "another driver": resource(types.VOLUME, { driver: "sshfs" }),
    },
  },
  "container-tmpfs-confined": {
    pass: {
      "as Workload makes it": container({ props: { tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=16m,mode=1777" } } }),
      none: container(),
    },
    fail: {
      "programs run there": container({ props: { tmpfs: { "/tmp": "rw,exec,nosuid,nodev" } } }),
      "both said": container({ props: { tmpfs: { "/tmp": "noexec,nosuid,nodev,exec" } } }),
      "users change there": container({ props: { tmpfs: { "/tmp": "noexec,suid,nodev" } } }),
      "devices are made there": container({ props: { tmpfs: { "/tmp": "noexec,nosuid,dev" } } }),
      "nothing said": container({ props: { tmpfs: { "/tmp": "" } } }),
    },
  },
  "container-mounts-plain": {
    pass: {
      "as Workload makes it": container(),
      "a volume that is not copied into": container({
        props: {
          mounts: [{ type: "volume", source: "redis-data-1a2b3c4", target: "/data", volumeOptions: { noCopy: true } }],
        },
      }),
    },
    fail: {
      "what is mounted inside shows outside": container({ props: mount({ bindOptions: { propagation: "rshared" } }) }),
      "what is mounted outside shows inside": container({ props: mount({ bindOptions: { propagation: "rslave" } }) }),
      "memory past the rule for it": container({ props: mount({ type: "tmpfs", source: undefined }) }),
      "an option of memory": container({ props: mount({ tmpfsOptions: { mode: 1777 } }) }),
      "a bind mount by its driver options": container({
        props: {
          mounts: [
            {
              type: "volume",
              source: "redis-data-1a2b3c4",
              target: "/data",
              volumeOptions: { driverName: "local", driverOptions: { type: "none", o: "bind", device: "/" } },
            },
          ],
        },
      }),
      "a driver": container({
        props: { mounts: [{ type: "volume", source: "redis-data-1a2b3c4", volumeOptions: { driverName: "nfs" } }] },
      }),
      "a volume without a name": container({ props: { mounts: [{ type: "volume", target: "/data" }] } }),
    },
  },
  "service-label-own": {
    pass: { "its name": container(), "not known yet": container({ props: { labels: UNKNOWN } }) },
    fail: {
      "another's": container({ labels: as("caddy") }, { name: "redis" }),
      missing: container({ props: { labels: labelsOf({ "autollm.environment": "local" }) } }),
    },
  },
  "service-label-unique": {
    pass: { "one each": [inStack(container()), inStack(container({ labels: as("nats") }))] },
    fail: { "two of one name": [inStack(container()), inStack({ ...container(), urn: "urn:other::redis" })] },
  },
  "credential-not-shown": {
    pass: {
      "on stdin": [password("redis", generated), inStack(command({ create: "cat", stdin: stdin({ x: generated }) }))],
      "a counter": [password("redis", generated, { keepers: { generation: "2" } })],
    },
    fail: {
      "as a trigger": [password("redis", generated), inStack(command({ create: "true", triggers: [generated] }))],
      "as part of a trigger": [
        password("redis", generated),
        inStack(command({ create: "true", triggers: [`v1 ${generated}`] })),
      ],
      "in base64 as a trigger": [
        password("redis", generated),
        inStack(command({ create: "true", triggers: [Buffer.from(generated).toString("base64")] })),
      ],
      "as another's keeper": [password("redis", generated), password("jwt", secret(), { keepers: { of: generated } })],
      "in a script": [password("redis", generated), inStack(command({ create: `login ${generated}` }))],
      "in a label": [password("redis", generated), inStack(container({ labels: { note: generated } }))],
    },
  },
};
