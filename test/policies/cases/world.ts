import type { Subject } from "../../../policies/lib/rule.ts";
import * as types from "../../../policies/lib/types.ts";
import { UNKNOWN } from "../../../policies/lib/value.ts";
import { command, container, filesOf, labelsOf, resource } from "../fixtures.ts";
import type { RuleCases } from "./types.ts";

const local = { "autollm.environment": "local" };
const as = (service: string) => ({ "autollm.service": service });
const image = (name: string) => resource(types.REMOTE_IMAGE, { name });
const digest = `@sha256:${"1f".repeat(32)}`;
const volume = (environment: string, stateful: string, protect: boolean) =>
  resource(
    types.VOLUME,
    { labels: labelsOf({ "autollm.environment": environment, "autollm.stateful": stateful }) },
    { protect },
  );
const key = (props: Subject["props"]) => resource(types.PRIVATE_KEY, props);
const certificate = (days: number, isCaCertificate: boolean) =>
  resource(types.SELF_SIGNED, { validityPeriodHours: days * 24, isCaCertificate });
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ";
const remote = (connection: Subject["props"]) => resource("command:remote:Command", { create: "true", connection });
const provider = (sshOpts: string) => resource(types.DOCKER_PROVIDER, { host: "ssh://root@192.0.2.1", sshOpts });
const publish = (ports: readonly Subject["props"][], service = "edge-sockets") =>
  container({ props: { ports }, labels: as(service) });
const live = (environment: string, labels: Readonly<Record<string, string>>) =>
  container({ props: { envs: ["LIVE=1"] }, labels: { "autollm.environment": environment, ...labels } });
const confirmed = { "autollm.live": "true", "autollm.liveConfirm": "0a".repeat(8) };
const env = (...envs: readonly string[]) => container({ props: { envs } });
/** A container by its command line and one mount. */
const starting = (service: string, mount: Subject["props"], line: readonly string[]) =>
  container({
    props: { mounts: [{ type: "bind", ...mount }], entrypoints: line.slice(0, 1), command: line.slice(1) },
    labels: as(service),
  });
const killSwitch = { source: "/var/lib/autollm/files/x/kill-switch", target: "/run/kill-switch", readOnly: true };
const wrapped = ["/bin/sh", "/run/autollm/start.sh", "python"];
const mountedFile = (name: string, content: string) => filesOf("reporter", { [`run-secrets/env/${name}`]: content });

/** Networks, images, trading, volumes, keys and connections. */
export const worldCases: Readonly<Record<string, RuleCases>> = {
  "container-ports-closed": {
    pass: {
      none: container(),
      "the edge on 80 and 443": publish([
        { internal: 8080, external: 80 },
        { internal: 8443, external: 443, ip: "0.0.0.0" },
      ]),
      "the edge on the loopback": publish([{ internal: 8443, external: 8443, ip: "127.0.0.1" }]),
      "the edge on the loopback of IPv6": publish([{ internal: 8443, external: 8443, ip: "::1" }]),
    },
    fail: {
      "a database": publish([{ internal: 6379, external: 6379 }], "redis"),
      "a database on the loopback": publish([{ internal: 6379, external: 6379, ip: "127.0.0.1" }], "redis"),
      "the edge on another port": publish([{ internal: 2019, external: 2019, ip: "0.0.0.0" }]),
      "the edge on a port by chance": publish([{ internal: 2019 }]),
      "an address that only looks like the loopback": publish([
        { internal: 1, external: 2019, ip: "127.0.0.1.example" },
      ]),
      "caddy, which is given its sockets": publish([{ internal: 8443, external: 443 }], "caddy"),
      "all of the image": container({ props: { publishAllPorts: true } }),
    },
  },
  "network-internal": {
    pass: {
      internal: resource(types.NETWORK, { internal: true }, { name: "segment-data" }),
      "the way out": resource(
        types.NETWORK,
        { options: { "com.docker.network.bridge.enable_icc": "false" } },
        { name: "segment-egress" },
      ),
    },
    fail: {
      "a way out that connects its members": resource(types.NETWORK, {}, { name: "segment-egress" }),
      open: resource(types.NETWORK, { internal: false }, { name: "segment-data" }),
      "the host's own": resource(types.NETWORK, { internal: true, driver: "macvlan" }, { name: "segment-data" }),
    },
  },
  "image-pinned": {
    pass: {
      "by digest": image(`redis:8${digest}`),
      "built here": image("autollm.local/redis:20fed17ef020"),
    },
    fail: {
      "a tag": image("redis:8"),
      "a tag of a fixed version": image("natsio/prometheus-nats-exporter:0.17.3"),
      latest: image("redis:latest"),
      "in another case": image("redis:LATEST"),
      "no tag": image("redis"),
      "a registry's port is no tag": image("registry.example:5000/redis"),
      "built here, latest": image("autollm.local/redis:latest"),
    },
  },
  "container-image-pinned": {
    pass: {
      "by digest": container(),
      "built here, local": container({ labels: { ...local, "autollm.image": "autollm.local/redis:20fed17ef020" } }),
      "a tag, local": container({ labels: { ...local, "autollm.image": "natsio/prometheus-nats-exporter:0.17.3" } }),
      "not known yet": container({ props: { image: UNKNOWN } }),
      "no label, but the digest itself": container({
        props: { image: `redis${digest}` },
        labels: { "autollm.image": "" },
      }),
    },
    fail: {
      "a tag as the image": container({ props: { image: "redis:8" } }),
      "latest, local": container({ labels: { ...local, "autollm.image": "redis:latest" } }),
      "a tag in production": container({ labels: { "autollm.image": "redis:8" } }),
      "built here, staging": container({
        labels: { "autollm.environment": "staging", "autollm.image": "autollm.local/redis:20fed17ef020" },
      }),
      "built here, nobody says where": container({
        labels: { "autollm.environment": "", "autollm.image": "autollm.local/redis:20fed17ef020" },
      }),
      "nothing says what it is": container({ labels: { "autollm.image": "" } }),
    },
  },
  "kill-switch-obeyed": {
    pass: {
      "an executor that waits": starting("execution-ib", killSwitch, wrapped),
      "a service that trades nothing": starting("reporter", {}, ["python"]),
      "not known yet": container({
        props: { mounts: UNKNOWN, entrypoints: UNKNOWN, command: UNKNOWN },
        labels: as("execution-ib"),
      }),
    },
    fail: {
      "no mount": starting("execution-crypto", {}, wrapped),
      "elsewhere in the container": starting("execution-ib", { ...killSwitch, target: "/run/switch" }, wrapped),
      "another directory": starting("execution-ib", { ...killSwitch, source: "/srv/other" }, wrapped),
      writable: starting("execution-ib", { ...killSwitch, readOnly: false }, wrapped),
      "without the wrapper": starting("execution-ib", killSwitch, ["python", "-m", "app"]),
      "with a wrapper of its own": starting("execution-ib", killSwitch, ["/bin/sh", "/app/start.sh", "python"]),
    },
  },
  "live-trading-confirmed": {
    pass: {
      paper: container({ props: { envs: ["LIVE=0", "TRADING_MODE=paper"] } }),
      "both settings in production": live("production", confirmed),
      "the ports of paper": env(
        "IB_PORT=4002",
        "IB_ADDRESS=ib-gateway:4004",
        "PAPER=1",
        "TRADING_LIVE=0",
        "IS_LIVE=false",
      ),
      "names that only sound like it": env("LIVENESS=1", "LIVE_RESTORE=true", "DELIVERY=true", "MODE=ready", "OLIVE=1"),
      "a file that says paper": mountedFile("LIVE", "0"),
    },
    fail: {
      "no setting": live("production", {}),
      "by another name": env("TRADING_LIVE=1"),
      "by a question": env("IS_LIVE=true"),
      "by a longer name": env("ENABLE_LIVE_TRADING=yes"),
      "by no paper": env("PAPER=0"),
      "by no paper trading": env("PAPER_TRADING=false"),
      "by no dry run": env("DRY_RUN=off"),
      "by the broker's environment": env("IB_ENV=production"),
      "by the live port": env("IB_PORT=4001"),
      "by the image's live port": env("IB_PORT=4003"),
      "by the live port in an address": env("IB_ADDRESS=ib-gateway:4003"),
      "by a flag of its own": container({ props: { command: ["--live"] } }),
      "by a flag that denies": container({ props: { command: ["--no-paper"] } }),
      "in a file that becomes a variable": mountedFile("LIVE", "1"),
      "in another such file": mountedFile("TRADING_MODE", "live\n"),
      "in the port's file": mountedFile("IB_PORT", "4001"),
      "in a config file": filesOf("execution-ib", { "etc-autollm/risk.yaml": "trading:\n  live: true\n" }),
      "the account in clear": live("production", { ...confirmed, "autollm.liveConfirm": "U7654321" }),
      "one setting": live("production", { "autollm.live": "true" }),
      "both settings in staging": live("staging", confirmed),
      "both settings, local": live("local", confirmed),
      "another spelling": container({ props: { envs: ["LIVE=True"] } }),
      "the broker's mode": container({ props: { envs: ["TRADING_MODE=Live"] } }),
      "in the command": container({ props: { command: ["sh", "-c", "env LIVE=1 node service.mjs"] } }),
      "in an argument": container({ props: { command: ["--mode=live"] } }),
    },
  },
  "volume-protected": {
    pass: {
      protected: volume("production", "true", true),
      "can be made again": volume("production", "false", false),
      local: volume("local", "true", false),
    },
    fail: { "not protected": volume("production", "true", false), "nothing said": resource(types.VOLUME, {}) },
  },
  "certificate-life": {
    pass: { "a year": certificate(365, false), "an authority of ten years": certificate(3652, true) },
    fail: { "three years": certificate(1095, false), "an authority of twenty years": certificate(7300, true) },
  },
  "key-size": {
    pass: {
      ED25519: key({ algorithm: "ED25519" }),
      "ECDSA P256": key({ algorithm: "ECDSA", ecdsaCurve: "P256" }),
      "RSA 4096": key({ algorithm: "RSA", rsaBits: 4096 }),
    },
    fail: {
      "RSA by default": key({ algorithm: "RSA" }),
      "RSA 2048": key({ algorithm: "RSA", rsaBits: 2048 }),
      "ECDSA by default": key({ algorithm: "ECDSA" }),
      "ECDSA P224": key({ algorithm: "ECDSA", ecdsaCurve: "P224" }),
    },
  },
  "ssh-host-key-pinned": {
    pass: {
      pinned: remote({ host: "192.0.2.1", hostKey }),
      "pinned, not known yet": remote({ host: "192.0.2.1", hostKey: UNKNOWN }),
      "both ends of a detour": remote({ host: "192.0.2.1", hostKey, proxy: { host: "192.0.2.2", hostKey } }),
      "a provider that checks": provider('["-o","StrictHostKeyChecking=yes"]'),
    },
    fail: {
      "not pinned": remote({ host: "192.0.2.1" }),
      "the detour not pinned": remote({ host: "192.0.2.1", hostKey, proxy: { host: "192.0.2.2" } }),
      "a provider that does not check": provider('["-o","StrictHostKeyChecking=no"]'),
      "a provider that learns": provider('["-oStrictHostKeyChecking accept-new"]'),
      "a provider that forgets": provider('["-o", "UserKnownHostsFile=/dev/null"]'),
      "a script that does not check": command({ create: "ssh -o stricthostkeychecking=no root@192.0.2.1 true" }),
      "a script that learns": command({ create: "ssh-keyscan 192.0.2.1 >> ~/.ssh/known_hosts" }),
    },
  },
  "command-runs-hardened": {
    pass: {
      "a hardened one": command({
        create: "docker run --rm --cap-drop ALL --network none --volume x:/volume image chown",
      }),
      "a volume by its name, and a workload's own files": command({
        create: `docker run --rm -v data:/v --mount type=bind,src=/srv/redis-files-${"0a".repeat(8)},target=/f image`,
      }),
      "the socket as the daemon's address": command({
        create: "docker --host unix:///var/run/docker.sock run --rm image",
      }),
      "a word of the text": command({ create: "echo privileged; docker ps" }),
    },
    fail: {
      privileged: command({ create: "docker run --rm --privileged image" }),
      "over several lines": command({ create: "docker run --rm \\\n  --pid=host image" }),
      "the host's network, when it is undone": command({ create: "true", delete: "docker run --network host image" }),
      "the socket": command({ create: "docker run -v /var/run/docker.sock:/s image" }),
      "the host's root": command({ create: "docker run --rm -v /:/host:ro image" }),
      "the directory of the socket": command({ create: "docker run --volume='/var/run:/s' image" }),
      "Docker's volumes, as a mount": command({
        create: "docker run --mount type=bind,source=/var/lib/docker/volumes,target=/v image",
      }),
      "a capability": command({ create: "podman run --cap-add=SYS_ADMIN image" }),
    },
  },
};
