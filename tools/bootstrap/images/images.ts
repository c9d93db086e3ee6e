import { type OwnImage, ownImageNames } from "../../../components/images.ts";
import { withLock } from "../../lib/lock.ts";
import { run } from "../../lib/run.ts";
import { baseTag, buildBase } from "./base.ts";
import { buildImage, type Prepared, prepare, prepareOwn } from "./build.ts";
import { catalogue, type LocalImage, type LocalImageName, localImageNames } from "./catalogue.ts";
import { fileName, TAG_PREFIX } from "./dockerfile.ts";
import { pruneGoPrograms } from "./goPrograms.ts";

export type { LocalImageName } from "./catalogue.ts";
export { isLocalImageName, localImageFor, localImageNames } from "./catalogue.ts";
export { registryReachable } from "./registry.ts";

/**
 * Builds the named local images that are missing, and answers each one's tag, `autollm.local/NAME:KEY`.
 * The key is a hash of everything that makes the image, so a tag never changes its meaning.
 */
export async function ensureImages<Name extends LocalImageName>(names: readonly Name[]): Promise<Record<Name, string>> {
  const [described, present] = await Promise.all([
    Promise.all(names.map(async (name) => [name, (await describe(name)).tag] as const)),
    localTags(),
  ]);
  for (const [name, tag] of described) if (!present.has(tag)) await ensureImage(name);
  return Object.fromEntries(described) as Record<Name, string>;
}

/** The tags of the local images that the daemon has. */
async function localTags(): Promise<ReadonlySet<string>> {
  const format = ["--format", "{{.Repository}}:{{.Tag}}"];
  const { stdout } = await run("docker", ["images", "--filter", "label=autollm.local-image", ...format]);
  return new Set(stdout.split("\n").filter((tag) => tag.startsWith(TAG_PREFIX)));
}

/**
 * Builds the images of our own programs on the pinned official ones, and answers each one's tag as `ensureImages` does.
 * It is all that a machine builds which reaches a registry.
 */
export async function ensureOwnImages(): Promise<Record<OwnImage, string>> {
  const tags: Partial<Record<OwnImage, string>> = {};
  for (const name of ownImageNames) {
    const image = await prepareOwn(name);
    await once(image.tag, () => buildImage(image));
    tags[name] = image.tag;
  }
  return tags as Record<OwnImage, string>;
}

/** Removes local images of former recipes, and what was compiled for them; those that a container uses stay. Answers the removed tags. */
export async function pruneImages(): Promise<string[]> {
  const current = new Set([baseTag()]);
  for (const name of localImageNames) current.add((await describe(name)).tag);
  for (const name of ownImageNames) current.add((await prepareOwn(name)).tag);
  const removed: string[] = [];
  for (const tag of await localTags()) {
    if (current.has(tag)) continue;
    if ((await run("docker", ["rmi", tag], { allowFailure: true })).code === 0) removed.push(tag);
  }
  pruneGoPrograms();
  return removed;
}

/** The local image that another stands on; undefined for Debian itself. */
function baseOf(name: LocalImageName): LocalImageName | undefined {
  const image: LocalImage = catalogue[name];
  return image.kind === "bundle" ? image.base : undefined;
}

async function describe(name: LocalImageName): Promise<Prepared> {
  const base = baseOf(name);
  return prepare(name, base === undefined ? baseTag() : (await describe(base)).tag);
}

async function ensureImage(name: LocalImageName): Promise<string> {
  const base = baseOf(name);
  if (base !== undefined) await ensureImage(base);
  const image = await describe(name);
  const debian = baseTag();
  await once(image.tag, async () => {
    if (base === undefined) await once(debian, () => buildBase(debian));
    await buildImage(image);
  });
  return image.tag;
}

/** Builds what has the tag, if nothing has: one program at a time for each tag. */
async function once(tag: string, build: () => Promise<void>): Promise<void> {
  if (await exists(tag)) return;
  await withLock(`image-${fileName(tag)}`, async () => {
    if (!(await exists(tag))) await build();
  });
}

async function exists(tag: string): Promise<boolean> {
  return (await run("docker", ["image", "inspect", tag], { allowFailure: true })).code === 0;
}
