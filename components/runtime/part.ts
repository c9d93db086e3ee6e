import type * as pulumi from "@pulumi/pulumi";
import type { Credentials } from "../credentials/credentials.ts";
import { workloadUser } from "../uids.ts";
import { capabilitiesOf, type ImageStore, type PartImage } from "./images.ts";
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

/** A workload by its image's name, which stands for its reference and the capabilities it cannot start without. */
export interface PartSpec extends Omit<WorkloadSpec, "image" | "user" | "capabilities"> {
  readonly image: PartImage;
  /** Numeric `uid:gid`, if it is not the workload's own (components/uids.ts). */
  readonly user?: string;
}

/** Runs a workload as a child of its component. */
export function runPart(name: string, args: PartArgs, spec: PartSpec, opts: pulumi.ComponentResourceOptions): Workload {
  return new Workload(
    name,
    {
      target: args.target,
      segments: args.segments,
      digestKey: args.credentials.digestKey,
      workloads: args.workloads,
      spec: {
        user: workloadUser(name),
        ...spec,
        image: args.images.get(spec.image),
        capabilities: capabilitiesOf(spec.image),
      },
    },
    opts,
  );
}
