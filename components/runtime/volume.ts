import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { quote } from "../shell.ts";
import type { ImageStore, ResolvedImage } from "./images.ts";
import { shell, type Target } from "./target.ts";

/** A volume at a path of a container. */
export interface VolumeMount {
  readonly name: pulumi.Input<string>;
  readonly path: string;
  readonly noCopy: boolean;
  /** Default false. */
  readonly readOnly?: boolean;
  /** The resource that gave the volume to its user, and to its group if it is shared; absent if none was needed. */
  readonly given?: pulumi.Resource;
}

export interface StatefulVolumeArgs {
  readonly target: Target;
  /** Whether other workloads than its owner write to it, by its owner's group. Default false. */
  readonly shared?: boolean;
  /** The user to give the volume to, and an image that has a shell, `find` and `chown`. Absent if it is root's, or the image brings it. */
  readonly owner?: { readonly user: string; readonly image: ResolvedImage };
}

/** A volume's owner: its workload's user. The image is one that every stack has. */
export function volumeOwner(user: string, images: ImageStore): Required<Pick<StatefulVolumeArgs, "owner">> {
  return { owner: { user, image: images.get("postgres") } };
}

/** Options of a container that changes a volume's owner: no network, and no other capability. */
const INSIDE = [
  "--rm --network none --user 0:0 --read-only --cap-drop ALL --cap-add CHOWN --cap-add DAC_READ_SEARCH",
  "--security-opt no-new-privileges:true",
].join(" ");

interface VolumeScriptArgs {
  readonly dockerSocket: string;
  readonly volume: string;
  readonly imageId: string;
  /** The owner's numeric `uid:gid`. */
  readonly user: string;
}

/** The end of a command line that runs a script in a container on a volume. */
const onVolume = ({ volume, imageId }: VolumeScriptArgs, script: string) =>
  `--entrypoint /bin/sh --volume ${quote(volume)}:/volume:nocopy ${quote(imageId)} -euc ${script}`;

/**
 * Gives a volume and everything in it to a user. Containers that write to it as another user are stopped first: what they
 * wrote later would belong to that user again. The directory itself comes last, so its owner shows whether all was done.
 */
export function ownerScript(args: VolumeScriptArgs): string {
  const { dockerSocket, volume, user } = args;
  // Only a volume's mount has a name, and an older Docker would evaluate it all the same in an "and".
  const named = `{{if eq .Type "volume"}}{{if eq .Name ${JSON.stringify(volume)}}}{{if .RW}}{{$.Id}}{{end}}{{end}}{{end}}`;
  const writes = `{{range .Mounts}}${named}{{end}}`;
  return [
    "set -eu",
    `docker() { command docker --host ${quote(dockerSocket)} "$@"; }`,
    `inside() { command docker --host ${quote(dockerSocket)} run ${INSIDE} ${onVolume(args, '"$1"')}; }`,
    `running=$(docker ps --quiet --no-trunc --filter ${quote(`volume=${volume}`)})`,
    `writers=$([ -z "$running" ] || docker inspect --format ${quote(writes)} $running)`,
    'if [ -n "$writers" ]; then',
    `  [ "$(inside 'stat -c %u:%g /volume')" != ${quote(user)} ] || exit 0`,
    "  docker stop $writers >/dev/null",
    "fi",
    `inside 'find /volume -mindepth 1 -exec chown -h ${user} {} + && chown ${user} /volume'`,
  ].join("\n");
}

/**
 * Lets the group of a volume's owner write to it: to what its owner has created so far, and, since files in its folders belong to
 * the group, to what any member of the group creates. The owner itself does it, without any capability.
 */
export function sharedScript(args: VolumeScriptArgs): string {
  const { dockerSocket, user } = args;
  const confined = `--rm --network none --user ${user} --read-only --cap-drop ALL --security-opt no-new-privileges:true`;
  const own = `find /volume -user ${user.split(":")[0]}`;
  const inside = `${own} -type d -exec chmod g+rwxs {} + && ${own} -type f -exec chmod g+rw {} +`;
  return ["set -eu", `docker --host ${quote(dockerSocket)} run ${confined} ${onVolume(args, quote(inside))}`].join(
    "\n",
  );
}

/** A named volume that holds state. In production it is protected: a destroy must unprotect it first. */
export class StatefulVolume extends pulumi.ComponentResource {
  /** The Docker volume's name, known once its user can write to the volume. */
  readonly volumeName: pulumi.Output<string>;
  readonly #given: pulumi.Resource | undefined;

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
        // Docker cannot change a label of an existing volume: another label would mean another volume, and the data would be lost.
        ignoreChanges: ["labels"],
      },
    );
    this.volumeName = volume.name;
    if (owner !== undefined) {
      const { user, image } = owner;
      const { dockerSocket } = target;
      const run = (step: string, script: typeof ownerScript, dependsOn: readonly pulumi.Resource[]) =>
        shell(
          step,
          target,
          {
            create: pulumi
              .all([volume.name, image.id])
              .apply(([volumeName, imageId]) => script({ dockerSocket, volume: volumeName, imageId, user })),
            triggers: [volume.name, user],
          },
          // A newer image does not change the volume's owner.
          { parent: this, dependsOn: [...dependsOn], ignoreChanges: ["create"] },
        );
      // One name per user: with one for all, `ignoreChanges` would run the previous user's script again.
      const given = run(`${name}-owner-${user.split(":")[0]}`, ownerScript, []);
      const last = args.shared === true ? run(`${name}-shared`, sharedScript, [given]) : given;
      this.#given = last;
      this.volumeName = pulumi.all([volume.name, last.urn]).apply(([volumeName]) => volumeName);
    }
    this.registerOutputs({ volumeName: this.volumeName });
  }

  /** The volume as a workload mounts it. */
  at(path: string): VolumeMount {
    // At the first mount Docker would copy the image's directory, its owner included, over the one that was given.
    return this.#given === undefined
      ? { name: this.volumeName, path, noCopy: false }
      : { name: this.volumeName, path, noCopy: true, given: this.#given };
  }

  /** The volume as mounted by a workload that only reads it, and whose image does not initialise its content. */
  readAt(path: string): VolumeMount {
    return { name: this.volumeName, path, noCopy: true, readOnly: true };
  }
}
