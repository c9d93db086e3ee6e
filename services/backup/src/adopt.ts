import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ArchiveWriter, type Content, type FileSum } from "./archive.ts";
import { unframed } from "./frames.ts";
import { MANIFEST, type Manifest, savedTables } from "./manifest.ts";
import { put, textOf } from "./open.ts";
import { readArchive } from "./readArchive.ts";
import { openRepository, save } from "./restic.ts";
import type { Settings } from "./settings.ts";
import { addTree } from "./tree.ts";

/**
 * Saves an archive that somebody else has made, in the form of a backup, as a snapshot: the data of an old installation, which come
 * in frames. It counts
 * as partial, since it is no backup of this stack, so `latest` is never it.
 */
export async function adoptArchive(settings: Settings, input: Content): Promise<{ readonly id: string }> {
  await openRepository();
  const { id } = await save(settings.stack, async (archive) => {
    let manifest: Manifest | undefined;
    for await (const entry of readArchive(unframed(input))) {
      if (entry.path !== MANIFEST) {
        await put(archive, entry);
        continue;
      }
      const text = await textOf(entry.content);
      manifest = JSON.parse(text) as Manifest;
      await archive.text(MANIFEST, text);
    }
    if (manifest === undefined) throw new Error("the archive ended before its manifest: nothing was saved");
    return { rows: savedTables(manifest).reduce((sum, { rows }) => sum + rows, 0), partial: true };
  });
  return { id };
}

/** Writes a line that says what follows, and then the content. */
export async function writeWithHead(head: unknown, content: Content, out: NodeJS.WriteStream): Promise<void> {
  await pipeline(
    (async function* () {
      yield Buffer.from(`${JSON.stringify(head)}\n`);
      yield* content;
    })(),
    out,
  );
}

/** Size and hash of every file of the volumes that are saved, by the volume's name and the path below it. */
export async function volumeSums({ volumes }: Pick<Settings, "volumes">): Promise<FileSum[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const archive = new ArchiveWriter(nowhere);
  for (const [name, directory] of Object.entries(volumes)) await addTree(archive, directory, name);
  return archive.sums;
}
