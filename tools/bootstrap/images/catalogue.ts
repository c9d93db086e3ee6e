import type { ImageName } from "../../../components/images.ts";
import { uidOf, workloadUser } from "../../../components/uids.ts";
import type { GoProgramName } from "./goPrograms.ts";

/** A directory that the official image has, with the same owner. */
interface Directory {
  readonly path: string;
  /** Numeric `uid:gid`. */
  readonly owner: string;
  readonly mode?: string;
}

/** What every local image says of itself: the same paths, owners and environment as the official one. */
interface Common {
  /** Debian packages that are installed. */
  readonly packages?: readonly string[];
  /** Shell lines that run before the packages are installed: users whose number must be the official one. */
  readonly before?: readonly string[];
  /** Shell lines that run last, when all files are there. */
  readonly after?: readonly string[];
  /** Symbolic links: where the official image has a program -> where Debian puts it. */
  readonly links?: Readonly<Record<string, string>>;
  readonly directories?: readonly Directory[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user: string;
  /** The program by its full path, with its arguments; workloads name their own. */
  readonly command: readonly string[];
  /** What asks the program for its version, for the test. */
  readonly version: readonly string[];
  /** The version that it holds and tells, if it is not the official image's, and why. */
  readonly differs?: { readonly version: string; readonly why: string };
  /** What the official image has and this one does not. */
  readonly lacks?: string;
}

/** A program that is built from Go modules, and where its files go. */
interface Built {
  readonly program: GoProgramName;
  /** Files of the built program -> where they go. */
  readonly copy: Readonly<Record<string, string>>;
}

export interface DebianImage extends Common {
  readonly kind: "debian";
}
export interface GoImage extends Common, Built {
  readonly kind: "go";
}
export interface NodeImage extends Common {
  readonly kind: "node";
}
export interface BundleImage extends Common {
  readonly kind: "bundle";
  readonly programs?: readonly Built[];
  /** The program's first file, from the project's root. */
  readonly entry: string;
  /** Where the bundle goes. */
  readonly target: string;
  /** The image that it stands on. */
  readonly base: "node" | "postgres";
}
export type LocalImage = DebianImage | GoImage | NodeImage | BundleImage;

const nobody = "65534:65534";
const BACKUP_UID = uidOf("backup");
const RESTORE_TEST_UID = uidOf("restore-test");
const WAL_ARCHIVE_UID = uidOf("wal-archive");
const system = (name: string, uid: number, gid: number, home: string) => [
  `groupadd --system --gid ${gid} ${name}`,
  `useradd --system --uid ${uid} --gid ${gid} --home-dir ${home} --no-create-home --shell /bin/sh ${name}`,
];

/** The local images. Users, paths and owners are those of the official images (components/images.ts). */
export const catalogue = {
  caddy: {
    kind: "go",
    program: "caddy",
    copy: { caddy: "/usr/bin/caddy" },
    packages: ["libcap2-bin"],
    // As in the official image; see `capabilities` in components/images.ts.
    after: ["setcap cap_net_bind_service=+ep /usr/bin/caddy"],
    directories: [
      // Root's in the official image. Here they are the workload's, so that a new named volume can be written at once.
      { path: "/data", owner: "20080:20080" },
      { path: "/data/caddy", owner: "20080:20080" },
      { path: "/config", owner: "20080:20080" },
      { path: "/config/caddy", owner: "20080:20080" },
      { path: "/etc/caddy", owner: "0:0" },
      { path: "/srv", owner: "0:0" },
    ],
    env: { XDG_CONFIG_HOME: "/config", XDG_DATA_HOME: "/data" },
    workdir: "/srv",
    user: "20080:20080",
    command: ["/usr/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
    version: ["/usr/bin/caddy", "version"],
  },
  postgres: {
    kind: "debian",
    packages: ["postgresql-17", "locales"],
    differs: { version: "17", why: "Debian's package, with its own fixes" },
    lacks: "the image's own entrypoint script, which the platform does not use",
    before: [
      ...system("postgres", 70, 70, "/var/lib/postgresql"),
      // No cluster at install: the workload makes its own.
      "mkdir -p /etc/postgresql-common && echo create_main_cluster=false > /etc/postgresql-common/createcluster.conf",
    ],
    after: ["ln -sf /usr/lib/postgresql/17/bin/* /usr/local/bin/", "localedef -i en_US -f UTF-8 en_US.UTF-8"],
    directories: [
      { path: "/var/lib/postgresql", owner: "70:70" },
      { path: "/var/lib/postgresql/data", owner: "70:70", mode: "1777" },
      { path: "/var/run/postgresql", owner: "70:70", mode: "3777" },
      { path: "/docker-entrypoint-initdb.d", owner: "0:0" },
    ],
    env: { LANG: "en_US.utf8", PGDATA: "/var/lib/postgresql/data", PG_MAJOR: "17" },
    user: "70:70",
    command: ["/usr/local/bin/postgres"],
    version: ["/usr/local/bin/postgres", "--version"],
  },
  redis: {
    kind: "debian",
    packages: ["redis-server", "redis-tools"],
    differs: { version: "8.0", why: "Debian's package: newer ones are no Go module" },
    before: system("redis", 999, 1000, "/data"),
    links: { "/usr/local/bin/redis-server": "/usr/bin/redis-server", "/usr/local/bin/redis-cli": "/usr/bin/redis-cli" },
    directories: [{ path: "/data", owner: "999:1000" }],
    workdir: "/data",
    user: "999:1000",
    command: ["/usr/local/bin/redis-server"],
    version: ["/usr/local/bin/redis-server", "--version"],
  },
  nats: {
    kind: "go",
    program: "nats",
    copy: { "nats-server": "/usr/local/bin/nats-server" },
    directories: [
      // See caddy's.
      { path: "/data", owner: "20422:20422" },
      { path: "/etc/nats", owner: "0:0" },
    ],
    user: "20422:20422",
    command: ["/usr/local/bin/nats-server", "--config", "/etc/nats/nats-server.conf"],
    version: ["/usr/local/bin/nats-server", "--version"],
  },
  prometheus: {
    kind: "go",
    program: "prometheus",
    copy: { prometheus: "/bin/prometheus", promtool: "/bin/promtool" },
    directories: [
      { path: "/prometheus", owner: nobody },
      { path: "/etc/prometheus", owner: nobody },
    ],
    workdir: "/prometheus",
    user: nobody,
    command: ["/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
    version: ["/bin/prometheus", "--version"],
  },
  alertmanager: {
    kind: "go",
    program: "alertmanager",
    copy: { alertmanager: "/bin/alertmanager", amtool: "/bin/amtool" },
    lacks: "its web pages",
    directories: [
      { path: "/alertmanager", owner: nobody },
      { path: "/etc/alertmanager", owner: nobody },
    ],
    workdir: "/alertmanager",
    user: nobody,
    command: ["/bin/alertmanager", "--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"],
    version: ["/bin/alertmanager", "--version"],
  },
  "node-exporter": {
    kind: "go",
    program: "node-exporter",
    copy: { node_exporter: "/bin/node_exporter" },
    user: nobody,
    command: ["/bin/node_exporter"],
    version: ["/bin/node_exporter", "--version"],
  },
  "postgres-exporter": {
    kind: "debian",
    packages: ["prometheus-postgres-exporter"],
    differs: { version: "0.17", why: "Debian's package: newer ones are no Go module" },
    links: { "/bin/postgres_exporter": "/usr/bin/prometheus-postgres-exporter" },
    user: nobody,
    command: ["/bin/postgres_exporter"],
    version: ["/bin/postgres_exporter", "--version"],
  },
  "redis-exporter": {
    kind: "go",
    program: "redis-exporter",
    copy: { redis_exporter: "/redis_exporter" },
    user: "59000:59000",
    command: ["/redis_exporter"],
    version: ["/redis_exporter", "--version"],
  },
  "blackbox-exporter": {
    kind: "go",
    program: "blackbox-exporter",
    copy: { blackbox_exporter: "/bin/blackbox_exporter" },
    directories: [{ path: "/etc/blackbox_exporter", owner: "0:0" }],
    user: "6170:0",
    command: ["/bin/blackbox_exporter", "--config.file=/etc/blackbox_exporter/config.yml"],
    version: ["/bin/blackbox_exporter", "--version"],
  },
  cadvisor: {
    kind: "go",
    program: "cadvisor",
    copy: { cadvisor: "/usr/bin/cadvisor" },
    lacks: "its web pages",
    user: nobody,
    command: ["/usr/bin/cadvisor", "-logtostderr"],
    version: ["/usr/bin/cadvisor", "-version"],
  },
  restic: {
    kind: "go",
    program: "restic",
    copy: { restic: "/usr/bin/restic" },
    user: nobody,
    command: ["/usr/bin/restic"],
    version: ["/usr/bin/restic", "version"],
  },
  rclone: {
    kind: "go",
    program: "rclone",
    copy: { rclone: "/usr/local/bin/rclone" },
    lacks: "every backend and command that the WAL archive does not use",
    user: nobody,
    command: ["/usr/local/bin/rclone"],
    version: ["/usr/local/bin/rclone", "version"],
  },
  grafana: {
    kind: "go",
    program: "grafana",
    differs: { version: "10.0", why: "newer ones are not published as a module" },
    lacks: "gauges, and the former panels that were written for Angular; its pages are built by yarn, from npm",
    copy: {
      grafana: "/usr/share/grafana/bin/grafana",
      conf: "/usr/share/grafana/conf",
      public: "/usr/share/grafana/public",
    },
    before: system("grafana", 472, 472, "/usr/share/grafana"),
    directories: [
      { path: "/var/lib/grafana", owner: "472:0", mode: "777" },
      { path: "/var/lib/grafana/plugins", owner: "472:0", mode: "777" },
      { path: "/var/log/grafana", owner: "472:0", mode: "777" },
      { path: "/etc/grafana", owner: "472:0", mode: "777" },
      { path: "/etc/grafana/provisioning", owner: "472:0", mode: "777" },
    ],
    // An empty file: the defaults are in /usr/share/grafana/conf.
    after: ["touch /etc/grafana/grafana.ini"],
    env: {
      PATH: "/usr/share/grafana/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      GF_PATHS_CONFIG: "/etc/grafana/grafana.ini",
      GF_PATHS_DATA: "/var/lib/grafana",
      GF_PATHS_HOME: "/usr/share/grafana",
      GF_PATHS_LOGS: "/var/log/grafana",
      GF_PATHS_PLUGINS: "/var/lib/grafana/plugins",
      GF_PATHS_PROVISIONING: "/etc/grafana/provisioning",
    },
    workdir: "/usr/share/grafana",
    user: "472:0",
    command: ["/usr/share/grafana/bin/grafana", "server", "--homepath=/usr/share/grafana"],
    version: ["/usr/share/grafana/bin/grafana", "--version"],
  },
  loki: {
    kind: "go",
    program: "loki",
    copy: { loki: "/usr/bin/loki" },
    before: system("loki", 10001, 10001, "/loki"),
    directories: [
      { path: "/loki", owner: "10001:10001" },
      { path: "/loki/rules", owner: "10001:10001" },
      { path: "/etc/loki", owner: "10001:10001" },
    ],
    user: "10001:10001",
    command: ["/usr/bin/loki", "-config.file=/etc/loki/local-config.yaml"],
    version: ["/usr/bin/loki", "-version"],
  },
  jaeger: {
    kind: "go",
    program: "jaeger",
    copy: { jaeger: "/cmd/jaeger/jaeger-linux" },
    differs: { version: "1.76", why: "Jaeger 2.13, by its module's number: newer ones are not published as a module" },
    lacks: "its web pages",
    env: { JAEGER_LISTEN_HOST: "0.0.0.0" },
    user: "10001:10001",
    command: ["/cmd/jaeger/jaeger-linux"],
    version: ["/cmd/jaeger/jaeger-linux", "--version"],
  },
  "otel-collector": {
    kind: "go",
    program: "otel-collector",
    copy: { "otelcol-contrib": "/otelcol-contrib" },
    lacks: "the components that `tools/bootstrap/images/collector.ts` does not name",
    directories: [{ path: "/etc/otelcol-contrib", owner: "0:0" }],
    user: "10001:10001",
    command: ["/otelcol-contrib", "--config", "/etc/otelcol-contrib/config.yaml"],
    version: ["/otelcol-contrib", "--version"],
  },
  node: {
    kind: "node",
    packages: ["libstdc++6"],
    user: "10001:10001",
    command: ["/usr/local/bin/node"],
    version: ["/usr/local/bin/node", "--version"],
  },
  reference: {
    kind: "bundle",
    entry: "services/reference/src/main.ts",
    target: "/app/reference.mjs",
    base: "node",
    // No data directory: a new volume would take its owner from it, whichever user the service has.
    env: { NODE_ENV: "production" },
    workdir: "/app",
    user: "10001:10001",
    command: ["/usr/local/bin/node", "/app/reference.mjs"],
    version: ["/usr/local/bin/node", "--check", "/app/reference.mjs"],
  },
  backup: {
    kind: "bundle",
    entry: "services/backup/src/main.ts",
    target: "/app/backup.mjs",
    // pg_dump and the scratch server of the restore test are the server's own version.
    base: "postgres",
    packages: ["redis-tools", "libstdc++6"],
    programs: [
      { program: "restic", copy: { restic: "/usr/bin/restic" } },
      { program: "rclone", copy: { rclone: "/usr/local/bin/rclone" } },
    ],
    // initdb and pg_dump look their user up.
    before: [
      `groupadd --gid ${BACKUP_UID} backup-runner`,
      `useradd --uid ${BACKUP_UID} --gid ${BACKUP_UID} --home-dir /tmp --no-create-home --shell /usr/sbin/nologin backup-runner`,
      ...system("restore-test", RESTORE_TEST_UID, RESTORE_TEST_UID, "/tmp"),
      ...system("wal-archive", WAL_ARCHIVE_UID, WAL_ARCHIVE_UID, "/tmp"),
    ],
    env: { NODE_ENV: "production" },
    workdir: "/app",
    user: workloadUser("backup"),
    command: ["/usr/local/bin/node", "/app/backup.mjs", "serve"],
    version: ["/usr/local/bin/node", "--check", "/app/backup.mjs"],
  },
  "edge-sockets": {
    kind: "go",
    program: "edge-sockets",
    copy: { "edge-sockets": "/edge-sockets" },
    user: workloadUser("edge-sockets"),
    command: ["/edge-sockets", "help"],
    version: ["/edge-sockets", "help"],
  },
} as const satisfies Record<string, LocalImage>;

export type LocalImageName = keyof typeof catalogue;
export const localImageNames = Object.keys(catalogue) as readonly LocalImageName[];

export function isLocalImageName(name: string): name is LocalImageName {
  return Object.hasOwn(catalogue, name);
}

/** Which local image stands for a third-party one; `undefined` where none can be built. */
export function localImageFor(name: ImageName): LocalImageName | undefined {
  // IB Gateway's installer comes from its vendor alone: the reference service has a role that stands in for it.
  if (name === "ib-gateway") return "reference";
  return isLocalImageName(name) ? name : undefined;
}
