import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { PartImage } from "../images.ts";
import { type ImageSettings, LOCAL_PREFIX, partReference } from "./imageReferences.ts";

/** An image as a workload takes it. */
export interface ResolvedImage {
  /** `sha256:…`, as the daemon knows it. */
  readonly id: pulumi.Output<string>;
  /** What it was pinned by. */
  readonly reference: string;
}

export interface ImageStoreArgs {
  readonly provider: docker.Provider;
  readonly settings: ImageSettings;
  /** Copies locally built images to a remote daemon; see `Target`. */
  readonly loader?: pulumi.Input<string> | undefined;
}

/** Brings images to the daemon, each once. They stay there when the stack is removed: another stack may use them. */
export class ImageStore extends pulumi.ComponentResource {
  readonly #args: ImageStoreArgs;
  readonly #resolved = new Map<string, ResolvedImage>();

  constructor(name: string, args: ImageStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:ImageStore", name, {}, opts);
    this.#args = args;
    this.registerOutputs({});
  }

  /** The image of a component, by its name in the list of images. */
  get(name: PartImage): ResolvedImage {
    return this.resolve(name, partReference(name, this.#args.settings));
  }

  /** An image by its own pinned reference. */
  resolve(name: string, reference: string): ResolvedImage {
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    const sent = reference.startsWith(LOCAL_PREFIX) ? this.#send(name, reference) : [];
    const image = new docker.RemoteImage(
      `image-${name}`,
      { name: reference, keepLocally: true },
      { parent: this, provider: this.#args.provider, dependsOn: sent },
    );
    const resolved = { id: image.imageId, reference };
    this.#resolved.set(name, resolved);
    return resolved;
  }

  /** Copies an image that was built on this machine, and is in no registry, to the remote daemon. */
  #send(name: string, reference: string): pulumi.Resource[] {
    const { loader } = this.#args;
    if (loader === undefined) return [];
    const create = pulumi.interpolate`set -eu; docker save ${reference} | ${loader} >/dev/null`;
    return [
      new command.local.Command(
        `image-${name}-sent`,
        { create, triggers: [reference], logging: "none", addPreviousOutputInEnv: false },
        { parent: this },
      ),
    ];
  }
}
