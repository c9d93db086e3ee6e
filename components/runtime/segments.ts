import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { addressesOf, type SegmentName, type SegmentSpec, segmentSpecs } from "../segments.ts";

/** Bridge option: whether members of the network may talk to each other. */
const MEMBERS_TALK = "com.docker.network.bridge.enable_icc";

export interface SegmentsArgs {
  readonly provider: docker.Provider;
  /** The stack's range of private addresses, divided among the segments. */
  readonly range: string;
  /** The segments to create. Default: all of the platform. */
  readonly specs?: readonly SegmentSpec[];
}

/** The Docker networks, one per segment. A workload joins only those that it needs. */
export class Segments extends pulumi.ComponentResource {
  readonly #names = new Map<SegmentName, pulumi.Output<string>>();

  constructor(name: string, args: SegmentsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:Segments", name, {}, opts);
    const stack = pulumi.getStack();
    for (const spec of args.specs ?? segmentSpecs()) {
      const network = new docker.Network(
        `segment-${spec.name}`,
        {
          driver: "bridge",
          internal: spec.internal,
          // Docker's own pools are enough for 31 networks on a whole machine.
          ipamConfigs: [addressesOf(args.range, spec)],
          // All that call the internet are in one network: without this, each of them would reach IB Gateway's API there.
          ...(spec.internal ? {} : { options: { [MEMBERS_TALK]: "false" } }),
          labels: [{ label: "autollm.stack", value: stack }],
        },
        { parent: this, provider: args.provider },
      );
      this.#names.set(spec.name, network.name);
    }
    this.registerOutputs({});
  }

  /**
   * The Docker network's name of a segment.
   * @throws for a segment that the stack does not have
   */
  network(segment: SegmentName): pulumi.Output<string> {
    const name = this.#names.get(segment);
    if (name === undefined) throw new Error(`the stack has no segment ${segment}`);
    return name;
  }
}
