import type * as pulumi from "@pulumi/pulumi";
import type { Credentials } from "../credentials/credentials.ts";
import type { PartImage } from "../images.ts";
import { type PartName, parts, servesIn } from "../parts.ts";
import { workloadUser } from "../uids.ts";
import { capabilitiesOf } from "./imageReferences.ts";
import type { ImageStore } from "./images.ts";
import type { Segments } from "./segments.ts";
import type { Target } from "./target.ts";
import { Workload, type Workloads } from "./workload.ts";
import type { WorkloadSpec } from "./workloadSpec.ts";

/** The arguments of every component that runs workloads. */
export interface PartArgs {
  readonly target: Target;
  readonly segments: Segments;
  readonly images: ImageStore;
  readonly credentials: Credentials;
  /** Every workload of the stack. */
  readonly workloads: Workloads;
}

/** What a part's container runs; the rest is in the part's row. */
export interface PartSpec extends Omit<WorkloadSpec, "image" | "user" | "capabilities" | "segments" | "serves"> {
  /** Default: its row's. */
  readonly image?: PartImage;
  /** Numeric `uid:gid`. Default: its row's. */
  readonly user?: string;
  /** Whether it has a way out of the host that its row does not name. Default false. */
  readonly egress?: boolean;
}

/** Runs a part as a child of its component. */
export function runPart(
  name: PartName,
  args: PartArgs,
  { image, egress = false, ...spec }: PartSpec,
  opts: pulumi.ComponentResourceOptions,
): Workload {
  const part = parts[name];
  const runs = image ?? part.image;
  return new Workload(
    name,
    {
      target: args.target,
      segments: args.segments,
      digestKey: args.credentials.digestKey,
      workloads: args.workloads,
      spec: {
        user: workloadUser(name),
        credentials: part.credentials ?? [],
        ...spec,
        segments: [...part.segments, ...(egress ? (["egress"] as const) : [])],
        serves: servesIn(name),
        image: args.images.get(runs),
        capabilities: capabilitiesOf(runs),
      },
    },
    opts,
  );
}
