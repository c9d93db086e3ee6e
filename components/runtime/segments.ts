import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

/**
 * The network segments. Those who share an `internal` one reach each other; it has no way out to the internet and none in from
 * the host's ports. The open ones are ways out of the host or into it and nothing else: who shares one reaches nobody through it.
 */
export const segmentTable = {
  public: { internal: false, purpose: "Caddy's published ports" },
  egress: { internal: false, purpose: "the way out, for what calls the internet" },
  edge: { internal: true, purpose: "Caddy and what it forwards to" },
  apps: { internal: true, purpose: "the services and NATS" },
  data: { internal: true, purpose: "Postgres and Redis, and what uses them" },
  broker: { internal: true, purpose: "IB Gateway and the one service that trades through it" },
  observability: { internal: true, purpose: "scraping, traces and dashboards" },
} as const;

export type SegmentName = keyof typeof segmentTable;

export const segmentNames = Object.keys(segmentTable) as SegmentName[];

/** Whether a segment leads out of the host, or in. */
export const isOpen = (segment: SegmentName): boolean => !segmentTable[segment].internal;

/** The segments through which two workloads reach each other. */
export function sharedSegments(one: readonly SegmentName[], other: readonly SegmentName[]): SegmentName[] {
  return one.filter((segment) => !isOpen(segment) && other.includes(segment));
}

/** Bridge option: whether members of the network may talk to each other. */
const MEMBERS_TALK = "com.docker.network.bridge.enable_icc";

export interface SegmentsArgs {
  readonly provider: docker.Provider;
}

/** The Docker networks, one a segment. A workload joins only those that it needs. */
export class Segments extends pulumi.ComponentResource {
  /** The Docker network's name by segment. */
  readonly names: Readonly<Record<SegmentName, pulumi.Output<string>>>;

  constructor(name: string, args: SegmentsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:Segments", name, {}, opts);
    const stack = pulumi.getStack();
    const network = (segment: SegmentName) =>
      new docker.Network(
        `segment-${segment}`,
        {
          driver: "bridge",
          internal: segmentTable[segment].internal,
          // All that call the internet are in one network: without this, each of them would reach IB Gateway's API there.
          ...(isOpen(segment) ? { options: { [MEMBERS_TALK]: "false" } } : {}),
          labels: [{ label: "autollm.stack", value: stack }],
        },
        { parent: this, provider: args.provider },
      ).name;
    this.names = Object.fromEntries(segmentNames.map((segment) => [segment, network(segment)])) as Record<
      SegmentName,
      pulumi.Output<string>
    >;
    this.registerOutputs({});
  }
}
