import { withLock } from "../lib/lock.ts";
import { run } from "../lib/run.ts";
import { baseTag, buildBase } from "./base.ts";
import { buildImage, prepare } from "./build.ts";
import type { LocalImageName } from "./catalogue.ts";
import { fileName } from "./dockerfile.ts";

export type { LocalImageName } from "./catalogue.ts";
export { isLocalImageName, localImageFor, localImageNames } from "./catalogue.ts";
export { registryReachable } from "./registry.ts";

/**
 * Builds the named local images that are missing, and answers each one's tag, `autollm.local/NAME:KEY`.
 * The key is a hash of everything that makes the image, so a tag never changes its meaning.
 */
export async function ensureImages<Name extends LocalImageName>(names: readonly Name[]): Promise<Record<Name, string>> {
  const tags: Partial<Record<Name, string>> = {};
  for (const name of names) tags[name] = await ensureImage(name);
  return tags as Record<Name, string>;
}

async function ensureImage(name: LocalImageName): Promise<string> {
  const base = name === "reference" ? await ensureImage("node") : baseTag();
  const image = await prepare(name, base);
  await once(image.tag, async () => {
    if (name !== "reference") await once(base, () => buildBase(base));
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
