import type { StackSubject, Subject } from "../../policies/lib/rule.ts";
import * as types from "../../policies/lib/types.ts";
import { text, UNKNOWN } from "../../policies/lib/value.ts";
import {
  command,
  container,
  filesOf,
  inStack,
  labelsOf,
  network,
  password,
  resource,
  secret,
  stdin,
} from "./fixtures.ts";

/** A case by what it shows. A list is a whole stack. */
export type Cases = Readonly<Record<string, Subject | readonly StackSubject[]>>;

export interface RuleCases {
  readonly pass: Cases;
  readonly fail: Cases;
}

const local = { "autollm.environment": "local" };
const as = (service: string) => ({ "autollm.service": service });
const bind = (source: string, readOnly = true) => ({ mounts: [{ type: "bind", source, target: "/mnt", readOnly }] });
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
const publish = (ports: readonly Subject["props"][], service = "caddy") =>
  container({ props: { ports }, labels: as(service) });
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
const rotated = (days: number, environment: string) => [
  password("jwt", secret(), { keepers: { generation: "1", rotated: daysAgo(days), periodDays: "90" } }),
  inStack(container({ labels: { "autollm.environment": environment } })),
];
const live = (environment: string, labels: Readonly<Record<string, string>>) =>
  container({ props: { envs: ["LIVE=1"] }, labels: { "autollm.environment": environment, ...labels } });
const confirmed = { "autollm.live": "true", "autollm.liveConfirm": "U7654321" };
const redisPassword = secret();
const jwt = secret();

/** A container, its files and the generated credentials, as the engine shows them after an update. */
function mounted(
  service: string,
  files: Readonly<Record<string, string>>,
  credentials: string,
): readonly StackSubject[] {
  const source = `/var/lib/autollm/files/${service}-files-${"0a".repeat(8)}/run-secrets`;
  return [
    password("redis", redisPassword),
    password("jwt", jwt),
    inStack(filesOf(service, files)),
    inStack(container({ props: bind(source), labels: { ...as(service), "autollm.credentials": credentials } })),
  ];
}

function joining(service: string, declared: string, networks: readonly StackSubject[]): readonly StackSubject[] {
  const networksAdvanced = networks.map(({ props }) => ({ name: text(props.name) }));
  const labels = { ...as(service), "autollm.segments": declared };
  return [...networks, inStack(container({ props: { networksAdvanced }, labels }), networks)];
}

/** For each rule, resources that it lets through and resources that it refuses. */
export const cases: Readonly<Record<string, RuleCases>> = {
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
      "cadvisor as root": container({ props: { user: "0:0" }, labels: as("cadvisor") }),
    },
    fail: {
      "nothing said": container({ props: { user: undefined } }),
      root: container({ props: { user: "root" } }),
      "uid 0": container({ props: { user: "0:1000" } }),
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
    },
  },
  "container-mounts-harmless": {
    pass: {
      "its own files and a volume": container(),
      "its own files in a home directory": container({
        props: bind(`/home/me/stack/.pulumi-local/files/local/redis-files-${"0a".repeat(8)}/etc`),
      }),
      "the host's root for node-exporter": container({ props: bind("/"), labels: as("node-exporter") }),
      "a volume of Docker's own": resource(types.VOLUME, { driver: "local" }),
    },
    fail: {
      "the host's root": container({ props: bind("/") }),
      "the host's settings": container({ props: bind("/etc/") }),
      "below a sensitive directory": container({ props: bind("/root/.ssh") }),
      "by a detour": container({ props: bind("/srv/../etc") }),
      "as a volume": container({ props: { volumes: [{ hostPath: "/proc", containerPath: "/p" }] } }),
      "writable, where only reading is waived": container({ props: bind("/", false), labels: as("node-exporter") }),
      "its own files, writable": container({ props: bind(`/srv/redis-files-${"0a".repeat(8)}`, false) }),
      "a volume that is a bind mount": resource(types.VOLUME, {
        driverOpts: { type: "none", o: "bind", device: "/etc" },
      }),
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
  "container-processes-limited": {
    pass: { "nproc set": container() },
    fail: {
      "nothing said": container({ props: { ulimits: [] } }),
      "without end": container({ props: { ulimits: [{ name: "nproc", soft: -1, hard: -1 }] } }),
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
      "nothing said": container({ props: { restart: undefined } }),
    },
  },
  "container-ports-closed": {
    pass: {
      none: container(),
      "caddy on 80 and 443": publish([
        { internal: 8080, external: 80 },
        { internal: 8443, external: 443, ip: "0.0.0.0" },
      ]),
      "caddy on the loopback": publish([{ internal: 8443, external: 8443, ip: "127.0.0.1" }]),
      "caddy on the loopback of IPv6": publish([{ internal: 8443, external: 8443, ip: "::1" }]),
    },
    fail: {
      "a database": publish([{ internal: 6379, external: 6379 }], "redis"),
      "a database on the loopback": publish([{ internal: 6379, external: 6379, ip: "127.0.0.1" }], "redis"),
      "caddy on another port": publish([{ internal: 2019, external: 2019, ip: "0.0.0.0" }]),
      "caddy on a port by chance": publish([{ internal: 2019 }]),
      "an address that only looks like the loopback": publish([
        { internal: 1, external: 2019, ip: "127.0.0.1.example" },
      ]),
      "all of the image": container({ props: { publishAllPorts: true } }),
    },
  },
  "network-internal": {
    pass: {
      internal: resource(types.NETWORK, { internal: true }, { name: "segment-data" }),
      "the way out": resource(types.NETWORK, {}, { name: "segment-egress" }),
    },
    fail: {
      open: resource(types.NETWORK, { internal: false }, { name: "segment-data" }),
      "the host's own": resource(types.NETWORK, { internal: true, driver: "macvlan" }, { name: "segment-data" }),
    },
  },
  "image-pinned": {
    pass: {
      "by digest": image(`redis:8${digest}`),
      "built here": image("autollm.local/redis:20fed17ef020"),
      "without a digest on record": image("natsio/prometheus-nats-exporter:0.17.3"),
    },
    fail: {
      "a tag": image("redis:8"),
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
  "live-trading-confirmed": {
    pass: {
      paper: container({ props: { envs: ["LIVE=0", "TRADING_MODE=paper"] } }),
      "both settings in production": live("production", confirmed),
    },
    fail: {
      "no setting": live("production", {}),
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
  "authentication-on": {
    pass: { "a password": container() },
    fail: {
      "an empty password allowed": container({ props: { envs: ["ALLOW_EMPTY_PASSWORD=yes"] } }),
      "everyone trusted": container({ props: { envs: ["POSTGRES_HOST_AUTH_METHOD=trust"] } }),
      "no login": container({ props: { envs: ["GF_AUTH_ANONYMOUS_ENABLED=true"] } }),
      "an access list without password": filesOf("redis", {
        "run-secrets/users.acl": "user default on nopass ~* +@all\n",
      }),
      "pg_hba trusts the network": filesOf("postgres", { "etc/pg_hba.conf": "host all all samenet trust\n" }),
    },
  },
  "credential-not-default": {
    pass: {
      "a random one": filesOf("redis", { "run-secrets/redis": redisPassword }),
      "the environment's name": container({ props: { envs: ["ENVIRONMENT=test", "GF_SECURITY_ADMIN_USER=admin"] } }),
    },
    fail: {
      "in the environment": container({ props: { envs: ["POSTGRES_PASSWORD=changeme"] } }),
      "in a file": filesOf("redis", { "run-secrets/redis": "devredis\n" }),
      "in a script": command({ create: "redis-cli -a devredis ping" }),
    },
  },
  "credential-long-enough": {
    pass: {
      "24 bytes": filesOf("redis", { "run-secrets/redis": secret() }),
      "8 of VNC": filesOf("ib-gateway", { "run-secrets/vnc": secret(6) }),
    },
    fail: {
      "11 characters": filesOf("redis", { "run-secrets/redis": secret().slice(0, 11) }),
      empty: filesOf("redis", { "run-secrets/redis": "" }),
      "7 of VNC": filesOf("ib-gateway", { "run-secrets/vnc": secret().slice(0, 7) }),
    },
  },
  "credential-hard-to-guess": {
    pass: {
      random: filesOf("redis", { "run-secrets/redis": secret() }),
      hex: filesOf("redis", { "run-secrets/redis": "9f3a61c07be24d58a1c6e07f" }),
    },
    fail: {
      "a keyboard's rows": filesOf("redis", { "run-secrets/redis": "asdfghjkl98765" }),
      "three signs again and again": filesOf("redis", { "run-secrets/redis": "k7$k7$k7$k7$k7$" }),
      "a date": filesOf("redis", { "run-secrets/redis": "autollm20260101" }),
    },
  },
  "credential-generated-strong": {
    pass: {
      "24 characters": resource(types.RANDOM_PASSWORD, { length: 24, special: false }),
      "32 bytes": resource(types.RANDOM_BYTES, { length: 32 }),
      "a name that is none": resource("random:index/randomPet:RandomPet", {}, { name: "host-name" }),
    },
    fail: {
      "8 characters": resource(types.RANDOM_PASSWORD, { length: 8 }),
      "12 digits": resource(types.RANDOM_PASSWORD, { length: 12, lower: false, upper: false, special: false }),
      "4 bytes": resource(types.RANDOM_BYTES, { length: 4 }),
      "shown in plain text": resource(
        "random:index/randomString:RandomString",
        { length: 32 },
        { name: "redis-password" },
      ),
    },
  },
  "container-no-plain-secret": {
    pass: {
      "names of files": container({
        props: { envs: ["POSTGRES_PASSWORD_FILE=/run/secrets/x", "LLM_PUBLIC_KEY_PATH=/run/k"] },
      }),
      "a secret read from its file": container({
        props: {
          healthcheck: { tests: ["CMD", "sh", "-c", 'REDISCLI_AUTH="$(cat /run/secrets/redis)" redis-cli ping'] },
        },
      }),
      "not known yet": container({ props: { envs: [UNKNOWN, "TZ=UTC"] } }),
    },
    fail: {
      "in the environment": container({ props: { envs: [`JWT_SECRET=${secret()}`] } }),
      "under a harmless name": container({ props: { envs: [`EXTRA=${secret(32)}`] } }),
      "in the command": container({ props: { command: ["redis-server", "--requirepass", secret()] } }),
      "in a label": container({ labels: { "autollm.note": `password=${secret()}` } }),
      "a private key": container({ props: { uploads: [{ file: "/k", content: "-----BEGIN PRIVATE KEY-----" }] } }),
    },
  },
  "command-no-plain-secret": {
    pass: {
      "on stdin": command({ create: "cat > /etc/x", stdin: stdin({ "run-secrets/x": secret() }) }),
      "a key's fingerprint": command({
        create: `gpg --verify && test "$f" = ${"9DC8 5822 9FC7".replaceAll(" ", "")}${"0A".repeat(14)}`,
      }),
    },
    fail: {
      "in the script": command({ create: `psql "postgres://app:${secret()}@db/app" -c 'select 1'` }),
      "in the environment": command({ create: "true", environment: { API_TOKEN: secret() } }),
      "when it is undone": command({ create: "true", delete: `curl -H 'Authorization: Bearer ${secret()}' https://x` }),
    },
  },
  "command-runs-hardened": {
    pass: {
      "a hardened one": command({
        create: "docker run --rm --cap-drop ALL --network none --volume x:/volume image chown",
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
      "a capability": command({ create: "podman run --cap-add=SYS_ADMIN image" }),
    },
  },
  "credential-files-granted": {
    pass: {
      "its own": filesOf("redis", { "run-secrets/redis": redisPassword }),
      "a service's own role": filesOf("reporter", { "run-secrets/env/POSTGRES_PASSWORD": secret() }),
    },
    fail: {
      "another's": filesOf("news-ingestor", { "run-secrets/env/BINANCE_API_KEY": secret() }),
      "a database without need": filesOf("news-ingestor", { "run-secrets/env/POSTGRES_PASSWORD": secret() }),
      "an unknown reader": filesOf("stranger", { "run-secrets/jwt": jwt }),
    },
  },
  "credential-grants": {
    pass: {
      "its own": mounted("redis", { "run-secrets/redis": redisPassword }, "redis"),
      "not known yet": [inStack(container({ props: { mounts: UNKNOWN } }))],
    },
    fail: {
      "a label without a grant": [inStack(container({ labels: { "autollm.credentials": "redis,jwt" } }))],
      "another's value under its own name": mounted("redis", { "run-secrets/redis": jwt }, "redis"),
      "another's value inside a config file": mounted("redis", { "etc/redis.conf": `masterauth ${jwt}\n` }, "redis"),
      "a file that no label names": mounted("redis", { "run-secrets/redis": redisPassword }, ""),
      "another workload's directory": [
        inStack(container({ props: bind(`/srv/files/caddy-files-${"0a".repeat(8)}/run-secrets`) })),
      ],
    },
  },
  "segments-needed": {
    pass: {
      "its own": joining("redis", "data", [network("data")]),
      "a service with a way out": joining("news-ingestor", "apps,observability,egress", [
        network("apps"),
        network("egress"),
      ]),
    },
    fail: {
      "declared without need": joining("redis", "data,edge", [network("data")]),
      "joined without a word": joining("redis", "data", [network("data"), network("egress")]),
      "a network from elsewhere": [
        network("data"),
        inStack(container({ props: { networksAdvanced: [{ name: "bridge" }] } })),
      ],
      "an unknown workload": joining("stranger", "data", [network("data")]),
    },
  },
  "rotation-overdue": {
    pass: { "in time": rotated(80, "production"), "late in staging": rotated(100, "staging") },
    fail: { "late in production": rotated(100, "production") },
  },
  "rotation-due": {
    pass: {
      "in time": rotated(80, "staging"),
      "late in production, which the other rule refuses": rotated(100, "production"),
    },
    fail: { "late in staging": rotated(100, "staging"), "late on this machine": rotated(100, "local") },
  },
};
