import type * as pulumi from "@pulumi/pulumi";
import type { ResolvedImage } from "../runtime/images.ts";
import { shell, type Target } from "../runtime/target.ts";
import { quote } from "../shell.ts";
import type { RecordedStart } from "./release.ts";

/** The programs one of which health.sh needs. */
export const HEALTH_PROGRAMS = ["wget", "curl", "python3", "node", "bash"] as const;

export interface ImageStartArgs {
  readonly target: Target;
  readonly service: string;
  readonly image: ResolvedImage;
  /** Numeric `uid:gid` that the service runs as. */
  readonly user: string;
  /** Whether health.sh checks its health. */
  readonly asksHealth: boolean;
  /** The command line that is set; absent if the image's own is needed. */
  readonly command?: readonly string[] | undefined;
  /** The entry point and command that the image must have. */
  readonly recorded?: RecordedStart | undefined;
}

const CONFINED =
  "--rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --pids-limit 16 --memory 64m";

/** A list as Go's JSON writes it, which escapes HTML's special characters. */
const goJson = (list: readonly string[]) =>
  JSON.stringify(list).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

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
  const { dockerSocket, imageId, reference, service, user, asksHealth, command, recorded } = args;
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
    ...(recorded === undefined
      ? []
      : [
          `[ "$(printf '%s\\n' "$own" | sed 's/^null$/[]/')" = ${quote(`${goJson(recorded.entrypoint)}\n${goJson(recorded.command)}`)} ] || ${said(`starts otherwise than release.${service}.recorded says: pin it again by ./autollm pin, or remove release.${service}.recorded`)}`,
        ]),
    ...(command === undefined
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
 * Checks, before a service's container is replaced, whether its image can be started and its health be checked.
 * @returns the command line that is set or recorded, or the image's own, once the image was inspected
 * @throws in the update, with one line that names the image and what it lacks
 */
export function imageStart(
  args: ImageStartArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Output<readonly string[]> {
  const { target, image, service, recorded } = args;
  const known = args.command ?? (recorded === undefined ? undefined : [...recorded.entrypoint, ...recorded.command]);
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
  // What is already known shows in a preview, too.
  return known === undefined ? looked.stdout.apply(commandOf) : looked.urn.apply(() => known);
}
