import type * as pulumi from "@pulumi/pulumi";
import type { ResolvedImage } from "../runtime/images.ts";
import { shell, type Target } from "../runtime/target.ts";
import { quote } from "../shell.ts";

/** The programs of which health.sh needs one. */
export const HEALTH_PROGRAMS = ["wget", "curl", "python3", "node", "bash"] as const;

export interface ImageStartArgs {
  readonly target: Target;
  readonly service: string;
  readonly image: ResolvedImage;
  /** Numeric `uid:gid` that the service runs as. */
  readonly user: string;
  /** Whether its health is asked for by health.sh. */
  readonly asksHealth: boolean;
  /** Whether its own command line is needed. */
  readonly needsCommand: boolean;
}

const CONFINED =
  "--rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --pids-limit 16 --memory 64m";

/**
 * A script that prints the image's command line as two lines of JSON, its entry point and its command, or fails with one line
 * that says what the image lacks.
 */
export function imageStartScript(
  args: Omit<ImageStartArgs, "target" | "image"> & {
    readonly dockerSocket: string;
    readonly imageId: string;
    readonly reference: string;
  },
): string {
  const { dockerSocket, imageId, reference, service, user, asksHealth, needsCommand } = args;
  const has = HEALTH_PROGRAMS.map((program) => `command -v ${program}`).join(" || ");
  const said = (what: string) => `{ echo ${quote(`${service}: its image ${reference} ${what}`)} >&2; exit 1; }`;
  return [
    "set -eu",
    `docker() { command docker --host ${quote(dockerSocket)} "$@"; }`,
    `image=${quote(imageId)} user=${quote(user)}`,
    `inside() { docker run ${CONFINED} --user "$user" --entrypoint /bin/sh "$image" -c "$1" >/dev/null 2>&1; }`,
    `inside : || ${said(`does not run /bin/sh as user ${user}, by which every service is started: build it on a base that has a shell`)}`,
    ...(asksHealth
      ? [
          `inside ${quote(has)} || ${said(`has none of ${HEALTH_PROGRAMS.join(", ")} to ask for its health with: add one, or set release.${service}.health`)}`,
        ]
      : []),
    `own=$(docker image inspect --format '{{json .Config.Entrypoint}}{{println}}{{json .Config.Cmd}}' "$image")`,
    ...(needsCommand
      ? [`case $own in *'["'*) ;; *) ${said(`names no program to start: set release.${service}.command`)};; esac`]
      : []),
    `printf '%s\\n' "$own"`,
  ].join("\n");
}

/** The command line that an image's own entry point and command make. */
export function commandOf(printed: string): readonly string[] {
  return printed
    .split("\n")
    .filter((line) => line.trim() !== "")
    .flatMap((line) => (JSON.parse(line) as string[] | null) ?? []);
}

/**
 * Looks, before a service's container is replaced, whether its image can be started and asked for its health.
 * @returns the image's own command line
 * @throws in the update, with one line that names the image and what it lacks
 */
export function imageStart(
  args: ImageStartArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Output<readonly string[]> {
  const { target, image, service } = args;
  const looked = shell(
    `${service}-image-start`,
    target,
    {
      create: image.id.apply((imageId) =>
        imageStartScript({ ...args, dockerSocket: target.dockerSocket, imageId, reference: image.reference }),
      ),
      triggers: [image.id],
    },
    opts,
  );
  return looked.stdout.apply(commandOf);
}
