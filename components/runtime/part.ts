import type * as pulumi from "@pulumi/pulumi";
import type { Credentials } from "../credentials/credentials.ts";
import { type ImageName, images, type ThirdPartyImage } from "../images.ts";
import type { ImageStore } from "./images.ts";
import type { Segments } from "./segments.ts";
import type { Target } from "./target.ts";
import { Workload, type WorkloadSpec } from "./workload.ts";

/** What every component that runs workloads is given. */
export interface PartArgs {
  readonly target: Target;
  readonly segments: Segments;
  readonly images: ImageStore;
  readonly credentials: Credentials;
}

/** A workload of a third-party image: the image's name stands for its reference, its user and the capabilities it cannot start without. */
export interface PartSpec extends Omit<WorkloadSpec, "image" | "user" | "capabilities"> {
  readonly image: ImageName;
  /** Numeric `uid:gid`. Default: the image's. */
  readonly user?: string;
}

/** Runs a part around the services as a child of its component. */
export function runPart(name: string, args: PartArgs, spec: PartSpec, parent: pulumi.Resource): Workload {
  const { user, capabilities }: ThirdPartyImage = images[spec.image];
  return new Workload(
    name,
    {
      target: args.target,
      segments: args.segments,
      digestKey: args.credentials.digestKey,
      spec: { user, ...spec, image: args.images.get(spec.image), capabilities },
    },
    { parent },
  );
}
