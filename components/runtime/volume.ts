import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type ImageName, images, type ThirdPartyImage } from "../images.ts";
import { quote } from "../shell.ts";
import type { ResolvedImage } from "./images.ts";
import { shell, type Target } from "./target.ts";

/** A volume at a path of a container. */
export interface VolumeMount {
  readonly name: pulumi.Input<string>;
  readonly path: string;
  readonly noCopy: boolean;
  /** Default false. */
  readonly readOnly?: boolean;
}

export interface StatefulVolumeArgs {
  readonly target: Target;
  /** For an image that holds its data directory as root's: the user to give the volume to, and an image that has `chown`. */
  readonly owner?: { readonly user: string; readonly image: ResolvedImage };
}

/** The owner that a part's volume must be given to, where the part's image does not bring it. */
export function volumeOwner(image: ImageName, resolved: ResolvedImage): Pick<StatefulVolumeArgs, "owner"> {
  const { user, dataDirs }: ThirdPartyImage = images[image];
  return dataDirs.some((dir) => dir.owner === "workload") ? { owner: { user, image: resolved } } : {};
}

/** A named volume that holds state. In production it is protected: a destroy must unprotect it first. */
export class StatefulVolume extends pulumi.ComponentResource {
  /** The Docker volume's name, known once the volume can be written by its user. */
  readonly volumeName: pulumi.Output<string>;
  readonly #owned: boolean;

  constructor(name: string, args: StatefulVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:StatefulVolume", name, {}, opts);
    const { target, owner } = args;
    const labels = { ...target.labels, "autollm.stateful": "true" };
    const volume = new docker.Volume(
      name,
      { labels: Object.entries(labels).map(([label, value]) => ({ label, value })) },
      {
        parent: this,
        provider: target.docker,
        protect: target.environment === "production",
        // Docker changes no label of a volume that exists: another label would be another volume, and the data would go.
        ignoreChanges: ["labels"],
      },
    );
    this.volumeName = volume.name;
    this.#owned = owner !== undefined;
    if (owner !== undefined) {
      // One run of chown, in a container without network and with that one capability.
      const docker = `docker --host ${quote(target.dockerSocket)} run --rm --network none --user 0:0 --read-only`;
      const given = shell(
        `${name}-owner`,
        target,
        {
          create: pulumi.interpolate`${docker} --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges:true --entrypoint chown --volume ${volume.name}:/volume ${owner.image.id} ${owner.user} /volume`,
          triggers: [volume.name, owner.user],
        },
        // A newer image changes nothing about whose the volume is.
        { parent: this, ignoreChanges: ["create"] },
      );
      this.volumeName = pulumi.all([volume.name, given.urn]).apply(([volumeName]) => volumeName);
    }
    this.registerOutputs({ volumeName: this.volumeName });
  }

  /** The volume as a workload mounts it. */
  at(path: string): VolumeMount {
    // At the first mount Docker would copy the image's directory, its owner included, over the one that was given.
    return { name: this.volumeName, path, noCopy: this.#owned };
  }

  /** The volume as somebody mounts it who only reads it, and whose image has no say in its content. */
  readAt(path: string): VolumeMount {
    return { name: this.volumeName, path, noCopy: true, readOnly: true };
  }
}
