import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apt } from "../../lib/apt.ts";
import { cacheDir } from "../../lib/cache.ts";
import { step, UserError } from "../../lib/log.ts";
import { run } from "../../lib/run.ts";
import { fileName, keyOf, localTag } from "./dockerfile.ts";
import { debianMirror, type Mirror, sourceLines } from "./mirror.ts";

/** The Debian release that every local image stands on: the same as the hosts'. */
export const SUITE = "trixie";
/** wget is what the health checks use: Alpine's busybox has one too. */
const PACKAGES = ["ca-certificates", "wget"];
/** Files that keep later package installs small, and their services from starting. */
const FILES = {
  "etc/dpkg/dpkg.cfg.d/slim": ["doc", "man", "locale", "info"]
    .map((dir) => `path-exclude=/usr/share/${dir}/*`)
    .join("\n"),
  "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101",
  "etc/apt/apt.conf.d/slim": 'Acquire::Languages "none";\nAcquire::Retries "3";',
};
const SHRINK = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists", "var/log"];

export function baseTag(): string {
  return localTag("debian", keyOf(SUITE, ...PACKAGES, JSON.stringify(FILES), ...SHRINK));
}

/** Makes the base image: bootstraps Debian into a folder, once, keeps it as an archive, and imports that. */
export async function buildBase(tag: string): Promise<void> {
  const archive = join(cacheDir("images"), `${fileName(tag)}.tar`);
  if (!existsSync(archive)) {
    if (!buildsDebian()) {
      throw new UserError(
        "no registry is reachable, and to build the images here takes Debian and root: run this there, or open a way to the registries",
      );
    }
    await step("bootstrapping Debian for the local images", "under 2 minutes", () => bootstrap(archive));
  }
  await run("docker", ["import", "-c", "LABEL autollm.local-image=debian", archive, tag]);
}

/** Whether this machine can bootstrap a Debian: from its own packages' mirror, as root. */
export function buildsDebian(): boolean {
  const release = "/etc/os-release";
  return process.getuid?.() === 0 && existsSync(release) && /^ID=debian$/m.test(readFileSync(release, "utf8"));
}

async function bootstrap(archive: string): Promise<void> {
  // What an interrupted run left is thrown away.
  const root = cacheDir("images", "rootfs");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  try {
    await bootstrapInto(root, PACKAGES);
    for (const [path, text] of Object.entries(FILES)) writeFileSync(join(root, path), `${text}\n`, { mode: 0o755 });
    await run("chroot", [root, "sh", "-euc", "apt-get -qq update; apt-get -qq --yes upgrade; apt-get clean"], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
    for (const dir of SHRINK) await run("find", [join(root, dir), "-mindepth", "1", "-delete"]);
    // This machine's names are not the image's.
    for (const path of ["etc/hostname", "etc/resolv.conf"]) rmSync(join(root, path), { force: true });
    await run("tar", ["-C", root, "--one-file-system", "-cf", `${archive}.part`, "."]);
    renameSync(`${archive}.part`, archive);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Bootstraps a Debian into an empty folder, with apt set to this machine's mirror. */
export async function bootstrapInto(root: string, packages: readonly string[], suite = SUITE): Promise<void> {
  const mirror = findMirror();
  const program = await debootstrap();
  await run(program.path, ["--variant=minbase", `--include=${packages.join(",")}`, suite, root, mirror.main], {
    env: program.env,
  });
  writeFileSync(join(root, "etc/apt/sources.list"), sourceLines(mirror, suite));
}

function findMirror(): Mirror {
  const dir = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...(existsSync(dir) ? readdirSync(dir).map((file) => join(dir, file)) : [])];
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8"));
  const codename = /^VERSION_CODENAME=(\S+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? SUITE;
  const mirror = debianMirror(texts, codename);
  if (mirror === undefined) throw new UserError(`found no mirror for Debian ${codename} in apt's sources`);
  return mirror;
}

/** The debootstrap of this machine, or one that is unpacked into the cache: nothing is installed for it. */
async function debootstrap(): Promise<{ path: string; env: Record<string, string> }> {
  const installed = "/usr/sbin/debootstrap";
  if (existsSync(installed)) return { path: installed, env: {} };
  const dir = cacheDir("images", "debootstrap");
  const unpacked = join(dir, installed);
  if (!existsSync(unpacked)) {
    const download = () => run("apt-get", ["download", "debootstrap"], { cwd: dir, allowFailure: true });
    if ((await download()).code !== 0) {
      await apt(["update"]);
      await download();
    }
    const archive = readdirSync(dir).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new UserError("debootstrap is missing: apt-get install debootstrap");
    await run("dpkg-deb", ["-x", join(dir, archive), dir]);
  }
  return { path: unpacked, env: { DEBOOTSTRAP_DIR: join(dir, "usr/share/debootstrap") } };
}
