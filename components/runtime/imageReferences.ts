import { type Capability, imageReference, images, type OwnImage, type PartImage } from "../images.ts";
import type { Settings } from "../settings.ts";

/** What of a stack's settings says which images it has. */
export type ImageSettings = Pick<Settings, "imageSource" | "localImages" | "environment"> & {
  readonly heldImages?: Settings["heldImages"];
  readonly backup: Pick<Settings["backup"], "image">;
  readonly edge: Settings["edge"];
};

/** Registry part of the images that tools/bootstrap/images builds. */
export const LOCAL_PREFIX = "autollm.local/";

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
  { imageSource, localImages, heldImages = {}, environment, backup, edge }: ImageSettings,
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
