import { existsSync } from "node:fs";
import { join } from "node:path";
import { apt } from "../../../tools/lib/apt.ts";
import { cacheDir } from "../../../tools/lib/cache.ts";
import { run } from "../../../tools/lib/run.ts";

/** A program of a package of Debian's, unpacked into the cache: it is not installed. */
export async function debianProgram(name: string, path: string): Promise<string> {
  const folder = cacheDir("tools", name);
  const program = join(folder, path);
  if (existsSync(program)) return program;
  await apt(["-qq", "update"]);
  await run("apt-get", ["-qq", "download", name], { cwd: folder });
  await run("sh", ["-c", `dpkg-deb --extract ${name}_*.deb . && rm ${name}_*.deb`], { cwd: folder });
  return program;
}
