import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type Capability, imageReference, images, type OwnImage, type PartImage } from "../images.ts";
import type { Settings } from "../settings.ts";

/** An image as a workload takes it. */
export interface ResolvedImage {
  /** `sha256:…`, as the daemon knows it. */
  readonly id: pulumi.Output<string>;
  /** What it was pinned by. */
  readonly reference: string;
}

/** Registry part of the images that tools/bootstrap/images builds. */
const LOCAL_PREFIX = "autollm.local/";

export interface ImageStoreArgs {
  readonly provider: docker.Provider;
  readonly settings: Pick<Settings, "imageSource" | "localImages" | "environment"> & {
    readonly heldImages?: Settings["heldImages"];
    readonly backup: Pick<Settings["backup"], "image">;
    readonly edge: Settings["edge"];
  };
  /** Copies locally built images to a remote daemon; see `Target`. */
  readonly loader?: pulumi.Input<string> | undefined;
}

/** The images of this repository's own programs, which no public registry has. */
const ownImages = {
  reference: {
    missing:
      "release: name an image for every service; the reference stand-in, which `./autollm up` builds, is for environment local",
    capabilities: [],
  },
  backup: {
    missing: "backup.image: name the backup's image, by the digest that the workflow `images` prints",
    capabilities: [],
  },
  "edge-sockets": {
    missing: "edge.image: name the image of edge-sockets, by the digest that the workflow `images` prints",
    // For rules of the packet filter, in its own network namespace.
    capabilities: ["CAP_NET_ADMIN"],
  },
} as const satisfies Record<OwnImage, { readonly missing: string; readonly capabilities: readonly Capability[] }>;

/** The capabilities that an image's program cannot do without. */
export const capabilitiesOf = (name: PartImage): readonly Capability[] =>
  isOwn(name) ? ownImages[name].capabilities : images[name].capabilities;
export const isOwn = (name: string): name is OwnImage => Object.hasOwn(ownImages, name);

/**
 * The pinned reference of an image.
 * @throws when it is to be local and was not built, or when its digest is unverified outside environment local
 */
export function partReference(
  name: PartImage,
  { imageSource, localImages, heldImages = {}, environment, backup, edge }: ImageStoreArgs["settings"],
): string {
  const held = isOwn(name) ? undefined : heldImages[name];
  if (held !== undefined) return held;
  const named = { backup: backup.image, "edge-sockets": edge.image, reference: undefined };
  const own = isOwn(name) ? named[name] : undefined;
  if (own !== undefined) return own;
  if (imageSource === "registry" && !isOwn(name)) {
    if (images[name].digest === ("unverified" as string) && environment !== "local") {
      throw new Error(
        `${name}: the digest of ${images[name].reference} is not verified; put it into components/images.ts`,
      );
    }
    return imageReference(name);
  }
  const local = localImages[name];
  if (local === undefined) {
    throw new Error(
      isOwn(name) && imageSource === "registry"
        ? ownImages[name].missing
        : `localImages.${name}: is missing; \`./autollm up\` builds the images and sets it`,
    );
  }
  return local;
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
