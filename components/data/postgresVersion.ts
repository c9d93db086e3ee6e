import * as pulumi from "@pulumi/pulumi";
import { commandLine } from "../configCommand.ts";
import type { ResolvedImage } from "../runtime/images.ts";
import { shell, type Target } from "../runtime/target.ts";
import type { Claim } from "../runtime/workloadSpec.ts";
import { quote } from "../shell.ts";

export interface PostgresVersionArgs {
  readonly target: Target;
  readonly image: ResolvedImage;
  /** The Docker volume with its data. */
  readonly volume: pulumi.Input<string>;
  /** Numeric `uid:gid` that Postgres runs as. */
  readonly user: string;
}

/** Options of a container that only looks: no network, nothing to write to, no privilege. */
const CONFINED =
  "--rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true --pids-limit 16 --memory 64m";

/**
 * Said inside a container of the image with the volume at /volume: `postgres --version`, then the major version of the data, if there is any.
 * A cluster that an interrupted restore has set aside is the one that Postgres's start puts back.
 */
export const VERSIONS_SCRIPT =
  "postgres --version; for data in pgdata pgdata.replaced; do if [ -e /volume/$data ]; then cat /volume/$data/PG_VERSION; break; fi; done";

/**
 * A script that ends with 0 if the image's Postgres can start on the volume's data, or the volume has none yet; else it fails with one
 * line that names both versions and says what to type.
 */
export function postgresVersionScript(
  args: Pick<PostgresVersionArgs, "user"> & {
    readonly dockerSocket: string;
    readonly stack: string;
    readonly imageId: string;
    readonly reference: string;
    readonly volume: string;
  },
): string {
  const { dockerSocket, stack, imageId, reference, volume, user } = args;
  const upgrade = `To bring the data to that version: ${commandLine(stack, "upgrade")}`;
  const back =
    "Data is never brought to an older version: use the version of this program whose image has that Postgres, or name that image in heldImages.postgres";
  return [
    "set -eu",
    `image=${quote(reference)} volume=${quote(volume)} user=${quote(user)}`,
    `said=$(docker --host ${quote(dockerSocket)} run ${CONFINED} --user "$user" --volume "$volume":/volume:ro,nocopy --entrypoint /bin/sh ${quote(imageId)} -euc ${quote(VERSIONS_SCRIPT)})`,
    `program=$(printf '%s\\n' "$said" | sed -n '1s/^postgres (PostgreSQL) \\([0-9]*\\).*/\\1/p')`,
    `data=$(printf '%s\\n' "$said" | sed -n '2p')`,
    `[ -n "$program" ] || { echo "postgres: its image $image does not say which Postgres it has" >&2; exit 1; }`,
    '[ -n "$data" ] && [ "$data" != "$program" ] || exit 0',
    `[ "$program" -gt "$data" ] && how=${quote(upgrade)} || how=${quote(back)}`,
    'echo "postgres: its image $image has Postgres $program, and the volume $volume has data of Postgres $data, on which that does not start. Postgres was not touched. $how (docs/backup.md, Another major version of a store)" >&2',
    "exit 1",
  ].join("\n");
}

/**
 * Refuses another image of Postgres before its container is replaced if that does not start on the data: it runs when the image or the
 * volume changes, and adds nothing to the container.
 */
export function postgresVersionClaim({ target, image, volume, user }: PostgresVersionArgs): Claim {
  return (_, opts) => {
    const { dockerSocket, labels } = target;
    const create = pulumi.all([image.id, volume]).apply(([imageId, volumeName]) =>
      postgresVersionScript({
        ...{ dockerSocket, stack: labels["autollm.stack"] ?? "", user },
        ...{ imageId, reference: image.reference, volume: volumeName },
      }),
    );
    // Not the digest of the whole container: the two versions depend on nothing else.
    const claimed = shell("postgres-version", target, { create, triggers: [image.id, volume] }, opts);
    return { environment: {}, claimed };
  };
}
