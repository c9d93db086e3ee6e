import * as types from "../../../policies/lib/types.ts";
import { UNKNOWN } from "../../../policies/lib/value.ts";
import { container, resource } from "../fixtures.ts";
import type { RuleCases } from "./types.ts";

const as = (service: string) => ({ "autollm.service": service });
const bind = (source: string, readOnly = true) => ({ mounts: [{ type: "bind", source, target: "/mnt", readOnly }] });

/** A container's own properties. */
export const containersCases: Readonly<Record<string, RuleCases>> = {
  "container-not-privileged": {
    pass: { "an ordinary one": container() },
    fail: { "a privileged one": container({ props: { privileged: true } }) },
  },
  "container-capabilities-dropped": {
    pass: {
      "all dropped": container(),
      "what caddy needs": container({
        props: { capabilities: { drops: ["ALL"], adds: ["CAP_NET_BIND_SERVICE"] } },
        labels: as("caddy"),
      }),
      "what steers HTTP/3": container({
        props: { capabilities: { drops: ["ALL"], adds: ["CAP_NET_ADMIN"] } },
        labels: as("edge-sockets"),
      }),
      "not known yet": container({ props: { capabilities: UNKNOWN } }),
    },
    fail: {
      "nothing said": container({ props: { capabilities: undefined } }),
      "only some dropped": container({ props: { capabilities: { drops: ["NET_RAW"] } } }),
      "one added without a waiver": container({ props: { capabilities: { drops: ["all"], adds: ["SYS_ADMIN"] } } }),
      "another's waiver": container({ props: { capabilities: { drops: ["ALL"], adds: ["NET_BIND_SERVICE"] } } }),
    },
  },
  "container-confined": {
    pass: {
      "no new privileges": container(),
      "without a value": container({ props: { securityOpts: ["no-new-privileges"] } }),
    },
    fail: {
      "nothing said": container({ props: { securityOpts: [] } }),
      "switched off": container({ props: { securityOpts: ["no-new-privileges:false"] } }),
      "no seccomp": container({ props: { securityOpts: ["no-new-privileges:true", "seccomp=unconfined"] } }),
      "a profile of its own": container({ props: { securityOpts: ["no-new-privileges:true", "seccomp={}"] } }),
      "no labels of SELinux": container({ props: { securityOpts: ["no-new-privileges:true", "label=disable"] } }),
      "what is hidden shown": container({
        props: { securityOpts: ["no-new-privileges:true", "systempaths=unconfined"] },
      }),
      "no AppArmor": container({ props: { securityOpts: ["no-new-privileges:true", "apparmor:unconfined"] } }),
    },
  },
  "container-root-read-only": {
    pass: { "read-only": container() },
    fail: {
      writable: container({ props: { readOnly: false } }),
      "nothing said": container({ props: { readOnly: undefined } }),
    },
  },
  "container-user-not-root": {
    pass: {
      "a number": container(),
      "the log collector as root": container({ props: { user: "0:0" }, labels: as("log-collector") }),
    },
    fail: {
      "nothing said": container({ props: { user: undefined } }),
      root: container({ props: { user: "root" } }),
      "uid 0": container({ props: { user: "0:1000" } }),
      "group 0": container({ props: { user: "999:0" } }),
      "group 0 with a waiver for the user alone": container({ props: { user: "0:0" }, labels: as("cadvisor") }),
      "the group root": container({ props: { user: "999:root" } }),
      "no group": container({ props: { user: "999" } }),
      "cadvisor, which needs no root": container({ props: { user: "0:0" }, labels: as("cadvisor") }),
      "a name, which the image maps": container({ props: { user: "redis" } }),
    },
  },
  "container-namespaces-own": {
    pass: { bridge: container() },
    fail: {
      "the host's network": container({ props: { networkMode: "host" } }),
      "another's network": container({ props: { networkMode: "container:abc" } }),
      "the host's processes": container({ props: { pidMode: "host" } }),
      "the host's memory": container({ props: { ipcMode: "host" } }),
      "the host's users": container({ props: { usernsMode: "host" } }),
      "processes of its neighbour": container({ props: { pidMode: "container:redis" } }),
      "memory that others may join": container({ props: { ipcMode: "shareable" } }),
      "the host's control groups": container({ props: { cgroupnsMode: "host" } }),
    },
  },
  "container-no-docker-socket": {
    pass: { "none mounted": container() },
    fail: {
      mounted: container({ props: bind("/var/run/docker.sock") }),
      "by a detour": container({ props: bind("/var/../run//docker.sock") }),
      "as a volume": container({ props: { volumes: [{ hostPath: "/run/docker.sock", containerPath: "/s" }] } }),
      "as a named volume": container({ props: { volumes: [{ volumeName: "/run/docker.sock", containerPath: "/s" }] } }),
      containerd: container({ props: bind("/run/containerd/containerd.sock") }),
      "the directory in which it lies": container({ props: bind("/run") }),
      "that directory, by its other name": container({ props: bind("/var/run/") }),
      "the host's root, for any workload": container({ props: bind("/"), labels: as("node-exporter") }),
      "by another process's root": container({ props: bind("/proc/1/root/run") }),
      "by a process's current directory": container({ props: bind("/proc/self/cwd/../run/docker.sock") }),
    },
  },
  "container-mounts-harmless": {
    pass: {
      "its own files and a volume": container(),
      "its own files in a home directory": container({
        props: bind(`/home/me/stack/.pulumi-local/files/local/redis-files-${"0a".repeat(8)}/etc`),
      }),
      "the host's interfaces for node-exporter": container({
        props: bind("/proc/1/net/dev"),
        labels: as("node-exporter"),
      }),
      "the kill switch, for who obeys it": container({
        props: bind("/var/lib/autollm/files/production/kill-switch"),
        labels: as("nats"),
      }),
      "a volume of Docker's own": resource(types.VOLUME, { driver: "local" }),
      "a volume that the image's content is not copied to": container({
        props: { mounts: [{ type: "volume", source: "data", target: "/data", volumeOptions: { noCopy: true } }] },
      }),
    },
    fail: {
      "the host's root for node-exporter": container({ props: bind("/"), labels: as("node-exporter") }),
      "all processes for node-exporter": container({ props: bind("/proc"), labels: as("node-exporter") }),
      "what is waived, for another": container({ props: bind("/proc/1/net/dev") }),
      "what is waived, in another spelling": container({
        props: bind("/proc/1/net/../net/dev"),
        labels: as("node-exporter"),
      }),
      "a directory that nobody has heard of": container({ props: bind("/data/exchange") }),
      "a directory above the stack's files": container({ props: bind("/var/lib/autollm") }),
      "the stack's files": container({ props: bind("/var/lib/autollm/files/production") }),
      "the kill switch, for anybody": container({ props: bind("/var/lib/autollm/files/production/kill-switch") }),
      "the kill switch by a detour": container({
        props: bind("/var/lib/autollm/../../root/kill-switch"),
        labels: as("nats"),
      }),
      "another's files": container({ props: bind(`/srv/postgres-files-${"0a".repeat(8)}/run-secrets`) }),
      "another's files, by its own": container({
        props: bind(`/srv/redis-files-${"0a".repeat(8)}/../postgres-files-${"0b".repeat(8)}`),
      }),
      "its own name in another's folder": container({
        props: bind(`/srv/postgres-files-live/redis-files-${"0a".repeat(8)}`),
      }),
      "by another process's root": container({ props: bind(`/proc/1/root/srv/redis-files-${"0a".repeat(8)}`) }),
      "Docker's volumes": container({ props: bind("/var/lib/docker/volumes") }),
      "the host's root": container({ props: bind("/") }),
      "the host's settings": container({ props: bind("/etc/") }),
      "below a sensitive directory": container({ props: bind("/root/.ssh") }),
      "by a detour": container({ props: bind("/srv/../etc") }),
      "as a volume": container({ props: { volumes: [{ hostPath: "/proc", containerPath: "/p" }] } }),
      "writable, where only reading is waived": container({
        props: bind("/proc/1/net/dev", false),
        labels: as("node-exporter"),
      }),
      "its own files, writable": container({ props: bind(`/srv/redis-files-${"0a".repeat(8)}`, false) }),
    },
  },
  "container-no-devices": {
    pass: { none: container() },
    fail: {
      "a disk": container({ props: { devices: [{ hostPath: "/dev/sda" }] } }),
      "another control group": container({ props: { cgroupParent: "/" } }),
    },
  },
  "container-resources-limited": {
    pass: { "all set": container(), "CPUs by number": container({ props: { cpuShares: undefined, cpus: "0.5" } }) },
    fail: {
      "no memory": container({ props: { memory: undefined } }),
      "memory 0": container({ props: { memory: 0 } }),
      "swap without end": container({ props: { memorySwap: -1 } }),
      "no CPU": container({ props: { cpuShares: undefined } }),
    },
  },
  "container-health-checked": {
    pass: {
      "a command": container(),
      "a job": container({ props: { healthcheck: undefined }, labels: { "autollm.deploy": "on-demand" } }),
    },
    fail: {
      "nothing said": container({ props: { healthcheck: undefined } }),
      "switched off": container({ props: { healthcheck: { tests: ["NONE"] } } }),
      "never fails": container({ props: { healthcheck: { tests: ["CMD-SHELL", "exit 0"] } } }),
    },
  },
  "container-logs-rotated": {
    pass: {
      rotated: container(),
      "a driver that rotates": container({ props: { logDriver: "local", logOpts: undefined } }),
    },
    fail: {
      "the daemon's default": container({ props: { logDriver: undefined } }),
      "without a size": container({ props: { logOpts: { "max-file": "3" } } }),
      "without a number": container({ props: { logOpts: { "max-size": "10m" } } }),
    },
  },
  "container-restarts": {
    pass: {
      restarted: container(),
      "a job": container({ props: { restart: "no" }, labels: { "autollm.deploy": "on-demand" } }),
    },
    fail: {
      never: container({ props: { restart: "no" } }),
      "a job that starts again": container({ props: { restart: "always" }, labels: { "autollm.deploy": "on-demand" } }),
      "nothing said": container({ props: { restart: undefined } }),
    },
  },
};
