import * as pulumi from "@pulumi/pulumi";
import type { Capability } from "../images.ts";
import { quote } from "../shell.ts";
import { encodeFiles, type FilesArgs, type FileTree, keyedDigest, WRITE_DIRECTORY } from "./files.ts";
import { shell } from "./target.ts";

/** Hot-reloaded files: a running workload takes them without a restart. */
export interface LiveSpec {
  /** Contents by path, relative to `LIVE_CURRENT`. */
  readonly files: FileTree;
  /**
   * Command line that ends with 0 if the files in a directory are sound; it runs in a container without network or volume.
   * Absent if only the running program can check them.
   */
  readonly check?: (directory: string) => readonly string[];
  /** Command line, inside the running container, that makes it load the files, or refuse them and keep the old ones. */
  readonly reload: readonly string[];
}

export interface LiveFilesArgs extends LiveSpec, Pick<FilesArgs, "target" | "digestKey"> {
  /** The workload that reads the files, by its label `autollm.service`. */
  readonly workload: string;
  /** Numeric `uid:gid` as which the check runs. */
  readonly user: string;
  /** The capabilities without which its image cannot start. */
  readonly capabilities: readonly Capability[];
  /** Its image: a container of another image is about to be replaced, and is left alone. */
  readonly imageId: pulumi.Input<string>;
  /** Its label `autollm.segments`: a container of other networks is about to be replaced as well, and may not resolve a name in the files. */
  readonly segments: string;
}

/** Where the directory is mounted. */
export const LIVE_MOUNT = "/run/live";
/** The files in force, inside the container. */
export const LIVE_CURRENT = `${LIVE_MOUNT}/current`;

interface ScriptArgs
  extends Pick<LiveFilesArgs, "target" | "workload" | "user" | "capabilities" | "check" | "reload" | "segments"> {
  readonly directory: string;
  readonly digest: string;
  readonly imageId: string;
}

const words = (line: readonly string[]) => line.map(quote).join(" ");

/** What both scripts start with: `docker` talks to the target's daemon, and `mine` lists the workload's containers that mount the files. */
function preamble({
  target,
  workload,
  directory,
  digest,
}: Pick<ScriptArgs, "target" | "workload" | "directory" | "digest">) {
  const filters = [
    `label=autollm.stack=${target.labels["autollm.stack"]}`,
    `label=autollm.service=${workload}`,
    `volume=${LIVE_MOUNT}`,
  ];
  return [
    "set -eu",
    `live=${quote(directory)} digest=${quote(digest)}`,
    `docker() { command docker --host ${quote(target.dockerSocket)} "$@"; }`,
    `mine() { docker ps --quiet ${words(filters.flatMap((filter) => ["--filter", filter]))} "$@"; }`,
  ];
}

/** Writes the files beside the old ones, has them checked, points `current` at them, and makes the running containers load them. */
function switchScript(args: ScriptArgs): string {
  const { target, digest, imageId, user, capabilities, check, reload, segments } = args;
  const confined = [
    "--rm --network none --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true",
    ...capabilities.map((capability) => `--cap-add ${capability}`),
    `--user ${user}`,
  ].join(" ");
  const [program, ...rest] = check?.(`${LIVE_MOUNT}/${digest}`) ?? [];
  return [
    ...preamble(args),
    `base=${quote(target.filesDir)} image=${quote(imageId)} dir="$live/$digest"`,
    'mkdir -p "$base" && chmod 0700 "$base" && mkdir -p "$live" && chmod 0755 "$live"',
    'if [ ! -d "$dir" ]; then',
    ...WRITE_DIRECTORY,
    "fi",
    'before=$(readlink "$live/current" || true)',
    'refuse() { [ "$before" = "$digest" ] || rm -rf "$dir"; echo "$1" >&2; exit 1; }',
    // What the program logs in normal operation would only hide its message when it refuses.
    ...(program === undefined
      ? []
      : [
          `said=$(docker run ${confined} --volume "$live:${LIVE_MOUNT}:ro" --entrypoint ${quote(program)} "$image" ${words(rest)} 2>&1) || refuse "$said"`,
        ]),
    'point() { ln -sfn "$1" "$live/current.new" && mv -T "$live/current.new" "$live/current"; }',
    'point "$digest"',
    // A container of another image, or of other networks, is about to be replaced.
    `for container in $(mine --filter "ancestor=$image" --filter ${quote(`label=autollm.segments=${segments}`)}); do`,
    // A program that is reading its data would start over; one that ends at each start has another restart count.
    '  health() { docker inspect --format "{{.State.Health.Status}} {{.RestartCount}}" "$container"; }',
    "  first=$(health)",
    '  case $first in starting*) while [ "$(health)" = "$first" ]; do sleep 1; done ;; esac',
    '  if [ "$(docker inspect --format "{{.State.Health.Status}}" "$container")" != healthy ]; then',
    // It may be unhealthy because of the old files: it restarts with these.
    '    docker restart "$container" >/dev/null',
    "  else",
    `    said=$(docker exec "$container" ${words(reload)} 2>&1) || {`,
    // A container that starts now must not load what was refused.
    '      [ -z "$before" ] || point "$before"',
    '      refuse "$said"',
    "    }",
    "  fi",
    "done",
  ].join("\n");
}

/** Removes the files, unless they are in force again: a change that was reverted half-way leaves two records of one content. */
function removeScript(args: Pick<ScriptArgs, "target" | "workload" | "directory" | "digest">): string {
  return [
    ...preamble(args),
    '[ "$(readlink "$live/current")" != "$digest" ] || [ -z "$(mine --all)" ] || exit 0',
    'rm -rf "$live/$digest" "$live/$digest.new"',
    // The last one removes the directory too.
    '[ -e "$live/current" ] || rm -rf "$live"',
  ].join("\n");
}

/**
 * Hot-reloaded files, which a running workload takes without a restart: one directory on the Docker host, which stays mounted while its
 * content is switched as a whole. Content that the workload refuses fails the `up` and leaves the old content in force.
 */
export class LiveFiles extends pulumi.ComponentResource {
  /** Absolute path on the Docker host, to be mounted at `LIVE_MOUNT`. */
  readonly path: string;
  /** The resource that a reader depends on. */
  readonly written: pulumi.Resource;

  constructor(name: string, args: LiveFilesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("autollm:runtime:LiveFiles", name, {}, opts);
    const { target, workload } = args;
    this.path = `${target.filesDir}/${workload}-files-live`;
    const content = pulumi.output(args.files).apply(encodeFiles);
    const digest = pulumi.unsecret(
      pulumi.all([args.digestKey, content]).apply(([key, text]) => keyedDigest(key, text)),
    );
    this.written = shell(
      name,
      target,
      {
        // A new image alone runs it again: what the files say must suit that one, too.
        create: pulumi
          .all([digest, args.imageId])
          .apply(([is, imageId]) => switchScript({ ...args, directory: this.path, digest: is, imageId })),
        delete: digest.apply((is) => removeScript({ target, workload, directory: this.path, digest: is })),
        stdin: pulumi.secret(content),
        triggers: [digest],
      },
      { parent: this, additionalSecretOutputs: ["stdin"] },
    );
    this.registerOutputs({ path: this.path });
  }
}
