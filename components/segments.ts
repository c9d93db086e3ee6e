import { subnetOf } from "./networkRange.ts";
import { isServiceName, type ServiceName, type ServiceSpec, serviceNames, services } from "./platform/catalogue.ts";

/**
 * The segments of the components. An `internal` one has no way out of the host and none in; its members reach the members that
 * listen in it, and no others: a member that only calls listens elsewhere. The open ones are ways out of the host or into it; their
 * members do not reach each other through them.
 * The order here decides each segment's place in the stack's range of addresses: add new ones at the end.
 */
export const partSegments = {
  public: { internal: false, purpose: "the edge's published ports" },
  egress: { internal: false, purpose: "the way out, for what calls the internet" },
  broker: { internal: true, purpose: "IB Gateway, and the one service that trades through it" },
  caddy: { internal: true, purpose: "the edge itself, its probes, and Prometheus for its metrics" },
  grafana: { internal: true, purpose: "Grafana, for the edge; Prometheus reads its metrics" },
  prometheus: { internal: true, purpose: "Prometheus, for Grafana and the edge" },
  alertmanager: { internal: true, purpose: "Alertmanager, for Prometheus and the edge" },
  jaeger: { internal: true, purpose: "Jaeger's pages and queries, for Grafana and the edge" },
  traces: { internal: true, purpose: "the collector sends traces to Jaeger; Prometheus reads the metrics of both" },
  loki: { internal: true, purpose: "Loki, for the log collector and Grafana; Prometheus reads its metrics" },
  postgres: { internal: true, purpose: "Postgres, for its exporter, the backup and the WAL archive" },
  redis: { internal: true, purpose: "Redis, for its exporter, the backup and the edge's limiter" },
  nats: { internal: true, purpose: "NATS and its monitoring, for its exporter and the backup" },
  scrape: { internal: true, purpose: "components that serve metrics and nothing else, for Prometheus" },
  "edge-limiter": {
    internal: true,
    purpose: "the limiter of requests and logins, for the edge; Prometheus reads its metrics",
  },
  "nats-streams": { internal: true, purpose: "NATS, for the stream keeper" },
} as const;

type PartSegment = keyof typeof partSegments;

/**
 * A service has a segment in which it is called, by the name of the service; one in which it calls the stores and the collector;
 * and one for each service that it calls. So two services share a segment only if one calls the other, whatever they listen on.
 */
type ServiceSegment = ServiceName | `${ServiceName}-calls` | `${ServiceName}-to-${ServiceName}`;

export type SegmentName = PartSegment | ServiceSegment;

/** A segment as a Docker network. */
export interface SegmentSpec {
  readonly name: SegmentName;
  readonly internal: boolean;
  readonly purpose: string;
  /** Its start in the stack's range of addresses, and the length of its prefix. */
  readonly offset: number;
  readonly bits: number;
}

/** The segments that a workload joins, and those in which others reach it by its name. */
export interface Seats {
  readonly segments: readonly SegmentName[];
  readonly serves: readonly SegmentName[];
}

/** The components that services call. */
export type CalledPart = "nats" | "postgres" | "redis" | "otel-collector";

const spec = (name: ServiceName): ServiceSpec<ServiceName> => services[name];

/** Whether a service calls a component; every service with metrics sends traces as well. */
function calls(name: ServiceName, part: CalledPart): boolean {
  const { needs, port } = spec(name);
  return part === "otel-collector" ? port !== null : needs.includes(part);
}

const callsParts = (name: ServiceName) =>
  (["nats", "postgres", "redis", "otel-collector"] as const).some((part) => calls(name, part));

const peersOf = (name: ServiceName) => spec(name).needs.filter(isServiceName);

/** The segments in which services call a component: it serves in all of them. */
export function callSegments(part: CalledPart): SegmentName[] {
  return serviceNames.filter((name) => calls(name, part)).map((name) => `${name}-calls` as const);
}

/** The segments in which the services are called, for components that call all of them. */
export const calledSegments = (): SegmentName[] => serviceNames.filter((name) => spec(name).port !== null);

/** The same for the services that the edge forwards to. */
export const routedSegments = (): SegmentName[] => serviceNames.filter((name) => spec(name).routes !== undefined);

/** What follows for a service from its entry in the catalogue. */
export function serviceSeats(name: ServiceName): Seats {
  const { port, needs, egress } = spec(name);
  const callers = serviceNames.filter((other) => peersOf(other).includes(name));
  const serves = port === null ? [] : [name, ...callers.map((other) => `${other}-to-${name}` as const)];
  return {
    segments: [
      ...serves,
      ...(callsParts(name) ? [`${name}-calls` as const] : []),
      ...peersOf(name).map((peer) => `${name}-to-${peer}` as const),
      ...(needs.includes("ib-gateway") ? (["broker"] as const) : []),
      ...(egress ? (["egress"] as const) : []),
    ],
    serves,
  };
}

const PART_BITS = 27;
/** The start of the services' blocks; the components' segments come before. */
const SERVICES_OFFSET = 1024;
const BLOCK = 128;
/** Room for 13 containers beside the gateway; no segment of a service has more than 7, two generations of each included. */
const SERVICE_BITS = 28;
/** Of a block, two are for the service itself. */
const MOST_PEERS = BLOCK / 2 ** (32 - SERVICE_BITS) - 2;
/** Blocks, counted from 1, that fit into a range of the least size. */
const MOST_BLOCKS = (4096 - SERVICES_OFFSET) / BLOCK;

function serviceSegments(name: ServiceName): SegmentSpec[] {
  const { block, port } = spec(name);
  const peers = peersOf(name);
  if (!Number.isInteger(block) || block < 1 || block > MOST_BLOCKS)
    throw new Error(`${name}: block is ${block}, and must be one of 1 to ${MOST_BLOCKS} that no other service has`);
  const other = serviceNames.find((each) => each !== name && spec(each).block === block);
  if (other !== undefined) throw new Error(`${name}: block ${block} is ${other}'s; take one that no other service has`);
  if (peers.length > MOST_PEERS)
    throw new Error(`${name}: needs ${peers.length} services, and its block has room for ${MOST_PEERS}`);
  const at = (index: number) => ({
    internal: true,
    offset: SERVICES_OFFSET + (block - 1) * BLOCK + index * 2 ** (32 - SERVICE_BITS),
    bits: SERVICE_BITS,
  });
  return [
    ...(port === null ? [] : [{ name, purpose: `${name}, for its callers`, ...at(0) }]),
    ...(callsParts(name)
      ? [{ name: `${name}-calls` as const, purpose: `${name} calls its stores and the collector`, ...at(1) }]
      : []),
    ...peers.map((peer, index) => ({
      name: `${name}-to-${peer}` as const,
      purpose: `${name} calls ${peer}`,
      ...at(2 + index),
    })),
  ];
}

/**
 * Every segment of a stack.
 * @throws for a service whose block of addresses is another's, or too small
 */
export function segmentSpecs(): SegmentSpec[] {
  return [
    ...Object.entries(partSegments).map(([name, segment], index) => ({
      name: name as PartSegment,
      ...segment,
      offset: index * 2 ** (32 - PART_BITS),
      bits: PART_BITS,
    })),
    ...serviceNames.flatMap(serviceSegments),
  ];
}

/** A segment's addresses in a stack's range. */
export const addressesOf = (range: string, { offset, bits }: SegmentSpec) => subnetOf(range, offset, bits);

/**
 * A workload's name in one segment alone, at which it may listen: its plain name is known in each segment where it serves.
 * It has none in `egress`, where no workload may be called.
 */
export const nameIn = (workload: string, segment: SegmentName): string => `${workload}.${segment}`;

/**
 * The addresses at which a workload listens that does not listen on all of its own, as HTTP_LISTEN and Prometheus's programs take
 * them. The loopback is for the health check. A program that listens on every address works as well, but can then be called in the
 * segments in which it only calls.
 */
export const listenHosts = (workload: string, serves: readonly SegmentName[]): readonly string[] => [
  "127.0.0.1",
  ...serves.map((segment) => nameIn(workload, segment)),
];

/** The names by which Docker's resolver knows a workload in a segment. */
export function namesIn(workload: string, segment: SegmentName, serves: readonly SegmentName[]): string[] {
  if (segment === "egress") return [];
  return [...(serves.includes(segment) && !isOpen(segment) ? [workload] : []), nameIn(workload, segment)];
}

/** The segments through which two workloads may reach each other, if one of them listens. */
export function sharedSegments(one: readonly SegmentName[], other: readonly SegmentName[]): SegmentName[] {
  return one.filter((segment) => !isOpen(segment) && other.includes(segment));
}

/** Whether a segment leads out of the host, or in. */
export const isOpen = (segment: SegmentName): boolean => segment === "public" || segment === "egress";
