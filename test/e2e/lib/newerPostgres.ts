import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryReachable } from "../../../tools/bootstrap/images/images.ts";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { docker } from "./stack.ts";

export const FORMER_MAJOR = 17;
export const NEWER_MAJOR = 18;
/** The release of Debian that has the newer one, and the tag of the official image. */
const SUITE = "forky";
const OFFICIAL = `postgres:${NEWER_MAJOR}-alpine`;
/** A mirror may be older than its index is valid for: the packages are signed all the same. */
const FROM_SUITE = `"sed -i -E -n 's/^deb ([^ ]+) trixie main$/deb \\\\1 ${SUITE} main/p' /etc/apt/sources.list && echo 'Acquire::Check-Valid-Until \\"false\\";' >/etc/apt/apt.conf.d/dated",`;

function edit(path: string, changes: readonly (readonly [from: string | RegExp, to: string])[]): void {
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`${path} has no ${from}`);
    text = changed;
  }
  writeFileSync(path, text);
}

/** Makes a clone of what is committed, as the commit will be that brings the next major version of Postgres. */
export async function newerCheckout(clone: string): Promise<void> {
  await run("git", ["clone", "--quiet", root, clone]);
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  edit(join(clone, "tools/bootstrap/images/catalogue.ts"), [
    [`"postgresql-${FORMER_MAJOR}"`, `"postgresql-${NEWER_MAJOR}"`],
    [`/usr/lib/postgresql/${FORMER_MAJOR}/`, `/usr/lib/postgresql/${NEWER_MAJOR}/`],
    [`PG_MAJOR: "${FORMER_MAJOR}"`, `PG_MAJOR: "${NEWER_MAJOR}"`],
    [/(\.\.\.system\("postgres", 70, 70, "\/var\/lib\/postgresql"\),)/, `$1\n      ${FROM_SUITE}`],
  ]);
  edit(join(clone, "components/images.ts"), [
    [/reference: "postgres:[^"]*",\n\s*digest: "[^"]*"/, `reference: "${OFFICIAL}",\n    digest: "unverified"`],
  ]);
  edit(join(clone, "services/backup/Dockerfile"), [[/FROM postgres:\S+/, `FROM ${OFFICIAL}`]]);
}

/** The image of the newer Postgres: pulled where a registry is reachable, else built as that clone builds it. */
export async function newerImage(clone: string): Promise<string> {
  if (await registryReachable()) {
    await docker("pull", "--quiet", OFFICIAL);
    return OFFICIAL;
  }
  const { stdout } = await run("node", ["tools/bootstrap/images/main.ts", "postgres"], { cwd: clone });
  const [, tag] = /^postgres=(\S+)$/m.exec(stdout) ?? [];
  if (tag === undefined) throw new Error(`no image was built: ${stdout}`);
  return tag;
}
