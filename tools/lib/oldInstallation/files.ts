import { quote } from "../../../components/shell.ts";
import type { ArchiveWriter } from "../../../services/backup/src/archive.ts";
import { VOLUMES_DIR } from "../../../services/backup/src/manifest.ts";
import { readArchive } from "../../../services/backup/src/readArchive.ts";
import { UserError } from "../log.ts";
import { humanBytes } from "../units.ts";
import type { OldHost } from "./host.ts";
import { DUCKDB, fileRules, folders } from "./layout.ts";

/** An entry of the installation's folders, by find's letter: f file, d directory, l link, and others. */
export interface OldFile {
  readonly path: string;
  readonly type: string;
  readonly bytes: number;
}

/** A file that moves, and where to. */
export interface MovedFile {
  readonly from: string;
  readonly volume: string;
  readonly to: string;
  readonly bytes: number;
}

export interface FilePlan {
  readonly moved: readonly MovedFile[];
  readonly left: readonly string[];
}

/** Every file and folder below `data` and `reports`. */
export async function filesOf(host: OldHost): Promise<OldFile[]> {
  const { stdout } = await host.run(
    `cd ${quote(host.path)} && for folder in ${folders.join(" ")}; do [ -d "$folder" ] || continue; find "$folder/" -mindepth 1 -printf '%y %s %p\\0'; done`,
  );
  return stdout
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const [type = "", bytes = ""] = line.split(" ", 2);
      const path = line.slice(type.length + bytes.length + 2).replace(/\/+/g, "/");
      return { type, bytes: Number(bytes), path };
    });
}

/** The folder, or the file at the top, under which what stays behind is told. */
const topOf = (path: string) => path.split("/").slice(0, 2).join("/");

/**
 * Which file goes to which volume.
 * @param volumes those that the stack has and saves
 * @param silent paths that are moved in another way, such as the kill switch
 */
export function filePlan(files: readonly OldFile[], volumes: ReadonlySet<string>, silent: readonly string[]): FilePlan {
  const moved: MovedFile[] = [];
  const behind = new Map<string, { count: number; bytes: number; why: string }>();
  const leave = ({ path, bytes }: OldFile, why: string) => {
    const key = `${topOf(path)}: ${why}`;
    const before = behind.get(key) ?? { count: 0, bytes: 0, why };
    behind.set(key, { ...before, count: before.count + 1, bytes: before.bytes + bytes });
  };
  for (const file of files) {
    if (file.type === "d" || silent.includes(file.path)) continue;
    const rule = fileRules.find(({ from }) => (from.endsWith("/") ? file.path.startsWith(from) : file.path === from));
    if (rule === undefined) leave(file, "nothing here has a place for it");
    else if (file.type !== "f") leave(file, "is no plain file");
    else if (!volumes.has(rule.volume))
      leave(file, `the stack has no volume ${rule.volume}: no image that needs it is pinned`);
    else {
      const to = rule.from.endsWith("/") ? `${rule.to}${file.path.slice(rule.from.length)}` : rule.to;
      moved.push({ from: file.path, volume: rule.volume, to, bytes: file.bytes });
    }
  }
  const left = [...behind].map(
    ([key, { count, bytes }]) => `${key} (${count === 1 ? "a file" : `${count} files`}, ${humanBytes(bytes)})`,
  );
  return { moved: renamed(moved), left };
}

/** The one database of features has another name here. Where there are several, nobody knows which it is. */
function renamed(moved: readonly MovedFile[]): MovedFile[] {
  const isDatabase = ({ volume, to }: MovedFile) => volume === "market-data" && /^[^/]+\.duckdb$/.test(to);
  return moved.map((file) =>
    isDatabase(file) && moved.filter(isDatabase).length === 1 ? { ...file, to: DUCKDB } : file,
  );
}

/** Writes the files of one volume, in their order, as the volume's owner and the backup can read them. */
export async function addFiles(
  archive: ArchiveWriter,
  host: OldHost,
  volume: string,
  moved: readonly MovedFile[],
): Promise<void> {
  const files = new Map(moved.filter((file) => file.volume === volume).map((file) => [file.from, file]));
  if (files.size === 0) return;
  const list = [...files.keys()].map((path) => `${path}\0`).join("");
  // Options come before the list of names; a name cannot be one, since each begins with its folder.
  const script = `cd ${quote(host.path)} && exec tar --create --file - --no-recursion --null --files-from -`;
  for await (const { path, size = 0, mode, mtime, content } of readArchive(host.read(script, list))) {
    const file = files.get(path);
    if (file === undefined) throw new UserError(`${host.name} sent a file that was not asked for: ${path}`);
    files.delete(path);
    const kept = (mode & 0o100) === 0 ? 0o640 : 0o750;
    await archive.file({ path: `${VOLUMES_DIR}/${volume}/${file.to}`, mode: kept, mtime }, size, content);
  }
  if (files.size > 0)
    throw new UserError(`${host.name} lost files while they were read: ${[...files.keys()].join(", ")}`);
}
