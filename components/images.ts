/** One third-party image: what is pulled on a normal machine, and what a workload must know of it. */
export interface ThirdPartyImage {
  /** `repository:tag`, as it is pulled. */
  readonly reference: string;
  /** Digest of the multi-platform index, `sha256:…`, or `unverified` if no public record of it is known. */
  readonly digest: string;
  /** Where the digest was seen. */
  readonly source: string;
  /** Numeric `uid:gid` that the image names, or can run as. A workload has one of its own where it can: components/uids.ts. */
  readonly user: string;
  /** Why `user` is not the one that the image itself names, where it is not. */
  readonly userReason?: string;
  /** Full path of the program, which is the same in the official and in the local image. */
  readonly program: string;
  /** Directories that the program writes and that must outlive the container. */
  readonly dataDirs: readonly DataDir[];
  /**
   * Capabilities that the program cannot be started without. With the prefix: every daemon takes a name with or without it, but
   * the official docker plugin reads it back with the prefix, and each refresh would then see a difference.
   */
  readonly capabilities: readonly Capability[];
  /** Health check in Docker's form that works in the official and in the local image, or why there is none. */
  readonly healthcheck: readonly string[] | { readonly none: string };
}

/** A Linux capability as capabilities(7) names it. */
export type Capability = `CAP_${string}`;

export interface DataDir {
  readonly path: string;
  /**
   * `image`: the official image holds the directory with its user as its owner.
   * `workload`: it belongs to root there, or does not exist.
   * A volume is given to the workload's own user in either case.
   */
  readonly owner: "image" | "workload";
}

const httpGet = (url: string) => ["CMD", "wget", "-q", "-O", "/dev/null", url] as const;
const noTools = (port: number, path: string) => ({
  none: `the image holds one program and no shell: scrape or probe http on port ${port}, path ${path}, from outside`,
});

/** Every third-party image. Docker Hub's official images are rebuilt in place, so the digest is what counts. */
export const images = {
  caddy: {
    reference: "caddy:2.11.4-alpine",
    digest: "sha256:de23def33b17fb5d1290b0f6c2add1d70780e52341896c00a4c8a2a2fe9d355e",
    source: "docker-library/repo-info repos/caddy/remote/2.11.4-alpine.md",
    user: "20080:20080",
    userReason: "the image runs as root and has no user of its own",
    program: "/usr/bin/caddy",
    dataDirs: [
      { path: "/data", owner: "workload" },
      { path: "/config", owner: "workload" },
    ],
    // The program's file carries this capability: the kernel refuses to start it where the capability is dropped.
    capabilities: ["CAP_NET_BIND_SERVICE"],
    healthcheck: httpGet("http://127.0.0.1:2019/config/"),
  },
  postgres: {
    reference: "postgres:17.11-alpine",
    digest: "sha256:b0f9560a2de083e2cc7382e75f808c7381a32852a7ec49117deedb300e552b24",
    source: "docker-library/repo-info repos/postgres/remote/17-alpine.md",
    user: "70:70",
    program: "/usr/local/bin/postgres",
    dataDirs: [{ path: "/var/lib/postgresql/data", owner: "image" }],
    capabilities: [],
    healthcheck: ["CMD", "pg_isready", "-q", "-h", "127.0.0.1"],
  },
  redis: {
    reference: "redis:8.10.2-alpine",
    digest: "sha256:72cedd9603038893af961e90ac5e1a1a0d8377d5e338dbdad8fe284ea25de18f",
    source: "docker-library/repo-info repos/redis/remote/8.10.2-alpine.md",
    user: "999:1000",
    program: "/usr/local/bin/redis-server",
    dataDirs: [{ path: "/data", owner: "image" }],
    capabilities: [],
    // Without the password the answer is NOAUTH, which is enough: this checks that Redis answers, not its data.
    healthcheck: ["CMD", "redis-cli", "ping"],
  },
  nats: {
    reference: "nats:2.12.15-alpine",
    digest: "sha256:b270f5e2428354c0335612694d7dd2fb588148e567a5757fdff325ef9c9332e6",
    source: "docker-library/repo-info repos/nats/remote/2.12.15-alpine.md",
    user: "20422:20422",
    userReason: "the image runs as root and has no user of its own",
    program: "/usr/local/bin/nats-server",
    dataDirs: [{ path: "/data", owner: "workload" }],
    capabilities: [],
    // Needs `http: 8222` in the server's config.
    healthcheck: httpGet("http://127.0.0.1:8222/healthz"),
  },
  prometheus: {
    reference: "prom/prometheus:v3.13.1",
    digest: "sha256:3c42b892cf723fa54d2f262c37a0e1f80aa8c8ddb1da7b9b0df9455a35a7f893",
    source: "9 public repositories",
    user: "65534:65534",
    program: "/bin/prometheus",
    dataDirs: [{ path: "/prometheus", owner: "image" }],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:9090/-/healthy"),
  },
  alertmanager: {
    reference: "prom/alertmanager:v0.33.1",
    digest: "sha256:9e082985f56f4c8c9f724e18f2288c6708f472e56a5286b8863d080434ea065d",
    source: "10 public repositories",
    user: "65534:65534",
    program: "/bin/alertmanager",
    dataDirs: [{ path: "/alertmanager", owner: "image" }],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:9093/-/healthy"),
  },
  grafana: {
    reference: "grafana/grafana:13.1.0",
    digest: "sha256:121a7a9ece6dc10b969f1f96eed64b4f07dfac0d0b8abc070f7cb83bbde86f63",
    source: "6 public repositories",
    user: "472:0",
    program: "/usr/share/grafana/bin/grafana",
    dataDirs: [{ path: "/var/lib/grafana", owner: "image" }],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:3000/api/health"),
  },
  loki: {
    reference: "grafana/loki:3.7.4",
    digest: "sha256:87f0a067673756a3cede1bcbf0c74875f7df9b09fddb53e399d0c576f756cfcc",
    source: "8 public repositories",
    user: "10001:10001",
    program: "/usr/bin/loki",
    dataDirs: [{ path: "/loki", owner: "image" }],
    capabilities: [],
    healthcheck: noTools(3100, "/ready"),
  },
  "otel-collector": {
    reference: "otel/opentelemetry-collector-contrib:0.158.0",
    digest: "sha256:c5918f78992ee73b0d6f0e599423ac5ec52dd5d9726733114d6eca53d5a32ed5",
    source: "NickTacke/brawltome's compose file and 8 more public repositories",
    user: "10001:10001",
    program: "/otelcol-contrib",
    dataDirs: [],
    capabilities: [],
    healthcheck: noTools(13133, "/"),
  },
  jaeger: {
    reference: "jaegertracing/jaeger:2.19.0",
    digest: "sha256:ede4864215be4cd85bd8c3129a2fea6c5713c5653c7282c429dba123014bc68b",
    source: "4 public repositories",
    user: "10001:10001",
    program: "/cmd/jaeger/jaeger-linux",
    dataDirs: [],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:13133/status"),
  },
  "node-exporter": {
    reference: "prom/node-exporter:v1.12.1",
    digest: "sha256:1b4e4438faca4dd7e001dd445d161a4a2091b0fededa84093b3a8dfeae1f1be0",
    source: "6 public repositories",
    user: "65534:65534",
    program: "/bin/node_exporter",
    dataDirs: [],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:9100/"),
  },
  cadvisor: {
    reference: "ghcr.io/google/cadvisor:v0.60.5",
    digest: "sha256:763aecf1c32c2be8a1a75f9abfc2fc461005c9dbbaa39cb356b354aac1296dbe",
    source: "3 public repositories",
    user: "65534:65534",
    userReason:
      "the image runs as root; the control groups' figures, which is all that it is given, are anybody's to read",
    program: "/usr/bin/cadvisor",
    dataDirs: [],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:8080/healthz"),
  },
  "ib-gateway": {
    reference: "ghcr.io/gnzsnz/ib-gateway:10.45.1j",
    digest: "sha256:91165c0752ca534c0dad3c40683ae7c2745974d4d277651a90e90411ca609d8d",
    source: "3 public repositories, one calls it the immutable index digest",
    user: "1000:1000",
    program: "/home/ibgateway/scripts/run.sh",
    dataDirs: [{ path: "/settings", owner: "workload" }],
    capabilities: [],
    healthcheck: ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/4001 || exec 3<>/dev/tcp/127.0.0.1/4002"],
  },
  "postgres-exporter": {
    reference: "quay.io/prometheuscommunity/postgres-exporter:v0.20.1",
    digest: "sha256:ac5ec343104fae0e2d84a27bb8d69b38430a11910c5382cad85d478d2bab713e",
    source: "8 public repositories",
    user: "65534:65534",
    program: "/bin/postgres_exporter",
    dataDirs: [],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:9187/"),
  },
  "redis-exporter": {
    reference: "oliver006/redis_exporter:v1.88.0",
    digest: "sha256:2c8c55c63ce4d915389f03d337b8acef56aaaca9fab8728291287e612d4d6398",
    source: "1 public repository",
    user: "59000:59000",
    program: "/redis_exporter",
    dataDirs: [],
    capabilities: [],
    healthcheck: noTools(9121, "/health"),
  },
  "nats-exporter": {
    reference: "natsio/prometheus-nats-exporter:0.17.3",
    digest: "unverified",
    source: "none found",
    user: "65534:65534",
    userReason: "the image names no user",
    program: "/prometheus-nats-exporter",
    dataDirs: [],
    capabilities: [],
    healthcheck: noTools(7777, "/healthz"),
  },
  "blackbox-exporter": {
    reference: "prom/blackbox-exporter:v0.28.0",
    digest: "sha256:e753ff9f3fc458d02cca5eddab5a77e1c175eee484a8925ac7d524f04366c2fc",
    source: "9 public repositories",
    user: "6170:0",
    program: "/bin/blackbox_exporter",
    dataDirs: [],
    capabilities: [],
    healthcheck: httpGet("http://127.0.0.1:9115/-/healthy"),
  },
  restic: {
    reference: "restic/restic:0.18.1",
    digest: "sha256:39d9072fb5651c80d75c7a811612eb60b4c06b32ffe87c2e9f3c7222e1797e76",
    source: "8 public repositories",
    user: "65534:65534",
    userReason: "the image runs as root; a backup needs to read only what it is given",
    program: "/usr/bin/restic",
    dataDirs: [],
    capabilities: [],
    healthcheck: { none: "a batch job: its exit code is its health" },
  },
  rclone: {
    reference: "rclone/rclone:1.75.1",
    digest: "sha256:45401ad7410db1d67ffdb58e19059ad20b0d8e0285a60e38bbec55cc1019c7a5",
    source: "2 public repositories",
    user: "65534:65534",
    userReason: "the image runs as root; it stores only what it is given",
    program: "/usr/local/bin/rclone",
    dataDirs: [],
    capabilities: [],
    healthcheck: { none: "a batch job: its exit code is its health" },
  },
} as const satisfies Record<string, ThirdPartyImage>;

export type ImageName = keyof typeof images;

export const imageNames = Object.keys(images) as readonly ImageName[];

/** The images whose program keeps data in a volume. */
export const storeImages: readonly ImageName[] = imageNames.filter((name) => images[name].dataDirs.length > 0);

/** This repository's own programs that have an image. */
export const ownImageNames = ["reference", "backup", "edge-sockets"] as const;
export type OwnImage = (typeof ownImageNames)[number];

/** The images of everything that the program may run, besides those that a release names. */
export const partImageNames: readonly PartImage[] = [...imageNames, ...ownImageNames];

/** What a registry is asked for: `repository:tag@sha256:…`, or the tag alone where the digest is unverified. */
export function imageReference(name: ImageName): string {
  const { reference, digest }: ThirdPartyImage = images[name];
  return digest === "unverified" ? reference : `${reference}@${digest}`;
}

/** The images whose digest is not verified: accepted for a local trial, refused in staging and production. */
export function unverifiedImages(): ImageName[] {
  return imageNames.filter((name) => (images[name] as ThirdPartyImage).digest === "unverified");
}

/** An image of the list, or one of our own. */
export type PartImage = ImageName | OwnImage;
