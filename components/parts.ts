import { ibApiPort } from "./broker/ibPort.ts";
import { type CredentialName, credentialNames } from "./credentials/catalogue.ts";
import type { PartImage } from "./images.ts";
import { calledSegments, callSegments, listenHosts, routedSegments, type SegmentName } from "./segments.ts";

/** Any address: for a part that listens on all of its addresses. */
export const EVERYWHERE = "*";

/** TCP ports by the segment in which they are open; those on the loopback are left out. */
export type Listening = Readonly<Partial<Record<SegmentName | typeof EVERYWHERE, readonly number[]>>>;

/** A page of metrics, as a job of Prometheus. */
export interface Scraped {
  /** The job's name. Default: the part's. */
  readonly job?: string;
  readonly port: number;
  /** Default /metrics. */
  readonly path?: string;
  /** Whether its series are of control groups, by their path: they become those of containers, by their id. */
  readonly containers?: boolean;
  /** Whether its series are of file systems as `nodeExporterScript` names them: they get the host's mount points. */
  readonly fileSystems?: boolean;
}

/**
 * A container of the platform that is no service of the catalogue. Its row says what others must know of it; what its container runs is
 * in its component.
 */
export interface Part {
  /** Its image, unless the component names another. */
  readonly image: PartImage;
  /** The number of its user and group, a free one of the range in components/uids.ts. A number is never used again. */
  readonly uid?: number;
  /** Numeric `uid:gid` if it cannot have a number of its own, and why. */
  readonly runsAs?: { readonly user: string; readonly why: string };
  /** The segments that it joins. A way out that it has under some settings alone is in its component (`egress`). */
  readonly segments: readonly SegmentName[];
  /** Its ports: it is called by its name in the segments in which it has one. */
  readonly ports: Listening;
  /** The credentials that it may read. Default none. */
  readonly credentials?: readonly CredentialName[];
  /** Its metrics. Default none. */
  readonly metrics?: readonly Scraped[];
}

const named = (prefix: string): CredentialName[] => credentialNames.filter((name) => name.startsWith(prefix));

/** A guard has its workload's own user, since only that user may read the files. */
const guardOf = (uid: number, why: string) =>
  ({ image: "backup", runsAs: { user: `${uid}:${uid}`, why }, segments: [], ports: {} }) as const;

/** An exporter: it queries what its other segments lead to, and serves the result to Prometheus. */
const exporter = (uid: number, image: PartImage, port: number, ...asked: readonly SegmentName[]) =>
  ({ uid, image, segments: ["scrape", ...asked], ports: { scrape: [port] }, metrics: [{ port }] }) as const;

/** The edge's ports inside its container. */
export const EDGE_PORTS = { http: 8080, https: 8443, metrics: 2020 } as const;
const edgePages = [EDGE_PORTS.http, EDGE_PORTS.https] as const;

const LOKI = 70_034;
const COLLECTOR = 70_035;

const table = {
  postgres: {
    image: "postgres",
    runsAs: {
      user: "70:70",
      why: "initdb looks its user up in the image's own accounts; no Debian package uses 70",
    },
    segments: ["postgres", ...callSegments("postgres")],
    ports: { [EVERYWHERE]: [5432] },
    credentials: named("postgres-"),
  },
  redis: {
    uid: 70_011,
    image: "redis",
    segments: ["redis", ...callSegments("redis")],
    ports: { [EVERYWHERE]: [6379] },
    credentials: named("redis-"),
  },
  nats: {
    uid: 70_012,
    image: "nats",
    segments: ["nats", "nats-streams", ...callSegments("nats")],
    // Its monitoring has no login: the services do not reach it.
    ports: { [EVERYWHERE]: [4222], nats: [8222] },
    credentials: named("nats-"),
  },
  "nats-streams": {
    uid: 70_013,
    image: "backup",
    segments: ["scrape", "nats-streams"],
    ports: { scrape: [9191] },
    credentials: ["nats-streams", "nats-ca"],
    metrics: [{ port: 9191 }],
  },
  "ib-gateway": {
    uid: 70_021,
    image: "ib-gateway",
    segments: ["broker"],
    // The image's own; components/ports.ts knows the stand-in's.
    ports: { [EVERYWHERE]: [ibApiPort(true, false), ibApiPort(false, false)] },
    credentials: ["tws-userid", "tws-password", "vnc"],
  },
  "edge-sockets": {
    uid: 70_003,
    image: "edge-sockets",
    runsAs: {
      user: "0:70003",
      why: "the kernel gives CAP_NET_ADMIN to root alone; it has no other capability",
    },
    segments: ["public", "caddy"],
    ports: { public: edgePages, caddy: [EDGE_PORTS.metrics, ...edgePages] },
    // Caddy answers there, on a socket that it was given.
    metrics: [{ job: "caddy", port: EDGE_PORTS.metrics }],
  },
  "edge-limiter": {
    uid: 70_002,
    image: "backup",
    segments: ["edge-limiter", "redis"],
    ports: { "edge-limiter": [9190] },
    credentials: ["redis-edge-limiter"],
    metrics: [{ port: 9190 }],
  },
  caddy: {
    uid: 70_001,
    image: "caddy",
    // Each page that it forwards to, and the way out to the authority that signs its certificate.
    segments: ["egress", "grafana", "prometheus", "alertmanager", "jaeger", "edge-limiter", ...routedSegments()],
    ports: {},
    credentials: ["caddy-admin"],
  },
  prometheus: {
    uid: 70_031,
    image: "prometheus",
    // It is called in its own segment alone; in the others it scrapes.
    segments: [
      ...["prometheus", "alertmanager", "grafana", "loki", "traces", "caddy", "edge-limiter", "scrape"],
      ...calledSegments(),
    ] as readonly SegmentName[],
    ports: { prometheus: [9090] },
    // The pages are served below a path, behind Caddy's login, as are Prometheus's own metrics.
    metrics: [{ port: 9090, path: "/prometheus/metrics" }],
  },
  alertmanager: {
    uid: 70_032,
    image: "alertmanager",
    // It calls the reporter.
    segments: ["alertmanager", "reporter"],
    ports: { alertmanager: [9093] },
    credentials: ["slack-webhook", "pagerduty-key", "heartbeat-url"],
    metrics: [{ port: 9093, path: "/alertmanager/metrics" }],
  },
  grafana: {
    uid: 70_033,
    image: "grafana",
    segments: ["grafana", "prometheus", "loki", "jaeger"],
    ports: { grafana: [3000] },
    credentials: ["grafana-admin", "grafana-secret"],
    metrics: [{ port: 3000, path: "/grafana/metrics" }],
  },
  loki: {
    uid: LOKI,
    image: "loki",
    segments: ["loki"],
    ports: { [EVERYWHERE]: [3100] },
    metrics: [{ port: 3100 }],
  },
  "loki-guard": guardOf(LOKI, "the files that it looks after are Loki's alone"),
  jaeger: {
    uid: 70_036,
    image: "jaeger",
    segments: ["jaeger", "traces"],
    ports: { jaeger: [16686], traces: [4317, 8888] },
    metrics: [{ port: 8888 }],
  },
  "otel-collector": {
    uid: COLLECTOR,
    image: "otel-collector",
    segments: ["traces", ...callSegments("otel-collector")],
    ports: { [EVERYWHERE]: [4317, 4318], traces: [8888, 8889] },
    // Its own metrics, and those that it makes of spans.
    metrics: [{ port: 8888 }, { job: "span-metrics", port: 8889 }],
  },
  "otel-collector-guard": guardOf(COLLECTOR, "the queue's files are its collector's alone"),
  "log-collector": {
    image: "otel-collector",
    runsAs: { user: "0:0", why: "Docker's log files are root's alone; it has no capability" },
    segments: ["scrape", "loki"],
    ports: { scrape: [8888] },
    metrics: [{ port: 8888 }],
  },
  "log-collector-guard": guardOf(0, "the queue's files are its collector's alone; it has no capability"),
  "node-exporter": {
    uid: 70_041,
    image: "node-exporter",
    segments: ["scrape"],
    ports: { [EVERYWHERE]: [9100] },
    metrics: [{ port: 9100, fileSystems: true }],
  },
  cadvisor: {
    uid: 70_042,
    image: "cadvisor",
    segments: ["scrape"],
    ports: { [EVERYWHERE]: [8080] },
    metrics: [{ port: 8080, containers: true }],
  },
  "blackbox-exporter": exporter(70_043, "blackbox-exporter", 9115, "caddy"),
  "postgres-exporter": {
    ...exporter(70_044, "postgres-exporter", 9187, "postgres"),
    credentials: ["postgres-exporter"],
  },
  "redis-exporter": {
    ...exporter(70_045, "redis-exporter", 9121, "redis"),
    credentials: ["redis-exporter"],
  },
  // A program of ours: no digest of the usual exporter's image has been published.
  "nats-exporter": exporter(70_046, "backup", 7777, "nats"),
  backup: {
    uid: 70_080,
    image: "backup",
    segments: ["scrape", "postgres", "redis", "nats"],
    ports: { scrape: [9180] },
    credentials: [
      ...(["postgres-backup", "redis-backup", "nats-backup", "nats-ca"] as const),
      ...(["backup-key", "backup-key-previous", "s3-access-key", "s3-secret-key"] as const),
    ],
    metrics: [{ port: 9180 }],
  },
  "restore-test": { uid: 70_090, image: "backup", segments: [], ports: {} },
  "wal-archive": {
    uid: 70_081,
    image: "backup",
    segments: ["scrape", "postgres"],
    ports: { scrape: [9182] },
    credentials: ["postgres-wal-archive", "backup-key", "backup-key-previous", "s3-access-key", "s3-secret-key"],
    metrics: [{ port: 9182 }],
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof table;

/** The parts of the platform: each one's row. */
export const parts: Readonly<Record<PartName, Part>> = table;

export const partNames = Object.keys(parts) as readonly PartName[];

export const isPart = (workload: string): workload is PartName => Object.hasOwn(parts, workload);

/** The ports that are open in a segment. */
export const openIn = (ports: Listening, segment: SegmentName): readonly number[] => [
  ...(ports[EVERYWHERE] ?? []),
  ...(ports[segment] ?? []),
];

/** The segments in which a part is called by its name: those in which it has a port. */
export function servesIn(name: PartName): readonly SegmentName[] {
  const { segments, ports } = parts[name];
  return segments.filter((segment) => openIn(ports, segment).length > 0);
}

/**
 * The port of a part that has one.
 * @throws for another
 */
export function portOf(name: PartName): number {
  const [port, ...more] = [...new Set(Object.values(parts[name].ports).flat())];
  if (port === undefined || more.length > 0) throw new Error(`${name}: has no port, or more than one`);
  return port;
}

/** `host:port` of a part that has one port. */
export const addressOf = (name: PartName): string => `${name}:${portOf(name)}`;

/** The addresses at which a part listens. */
export const hostsOf = (name: PartName): readonly string[] => listenHosts(name, servesIn(name));
