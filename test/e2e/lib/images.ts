import { type ImageName, imageReference } from "../../../components/images.ts";
import type { LocalImageName } from "../../../tools/bootstrap/images/catalogue.ts";
import { ensureImages, registryReachable } from "../../../tools/bootstrap/images/images.ts";
import { run } from "../../../tools/lib/run.ts";

/** Images as the local stack has them on this machine: pulled by digest if a registry is reachable, else built. */
export async function imagesHere<Name extends ImageName & LocalImageName>(
  names: readonly Name[],
): Promise<Record<Name, string>> {
  if (!(await registryReachable())) return ensureImages(names);
  for (const name of names) await run("docker", ["pull", "--quiet", imageReference(name)]);
  return Object.fromEntries(names.map((name) => [name, imageReference(name)])) as Record<Name, string>;
}
