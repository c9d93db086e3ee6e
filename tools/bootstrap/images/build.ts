import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build as bundle } from "esbuild";
import type { OwnImage } from "../../../components/images.ts";
import { cacheDir } from "../../lib/cache.ts";
import { step, UserError } from "../../lib/log.ts";
import { run } from "../../lib/run.ts";
import { type BundleImage, catalogue, type LocalImage, type LocalImageName } from "./catalogue.ts";
import { dockerfile, fileName, keyOf, localTag } from "./dockerfile.ts";
import { buildGoProgram, folder, type GoProgramName, goProgramKey } from "./goPrograms.ts";

const projectRoot = join(import.meta.dirname, "../../..");

/** An image that is known by its content, and can be built. */
export interface Prepared {
  readonly name: LocalImageName;
  readonly tag: string;
  readonly dockerfile: string;
  /** Whether it stands on images that are pulled, and not on local ones. */
  readonly pulls: boolean;
  /** Puts the files that the Dockerfile copies into the build context. */
  readonly fill: (context: string) => Promise<void>;
}

/** Files of an image beyond Debian's packages, and what identifies their content. */
interface Files {
  /** Name in the build context -> path in the image. */
  readonly copy: Readonly<Record<string, string>>;
  readonly identity: string;
  readonly fill: (context: string) => Promise<void>;
}

export async function prepare(name: LocalImageName, base: string): Promise<Prepared> {
  const image: LocalImage = catalogue[name];
  const files = await filesOf(image);
  const text = dockerfile(name, image, base, files.copy);
  return { name, tag: localTag(name, keyOf(text, files.identity)), dockerfile: text, pulls: false, fill: files.fill };
}

/** What an image of ours is made from, besides its Dockerfile: file -> text. */
async function ownFiles(name: OwnImage): Promise<Readonly<Record<string, string>>> {
  const image: LocalImage = catalogue[name];
  return image.kind === "bundle"
    ? { [`${name}.mjs`]: await bundleText(image.entry) }
    : folder(`../../../services/${name}/src`);
}

/**
 * The key of what an image of ours is made from. Another image of edge-sockets closes the edge for a moment, so what its compiler
 * comes from is no part of its key.
 */
const ownKey = (name: OwnImage, text: string, files: Readonly<Record<string, string>>) =>
  keyOf(name === "edge-sockets" ? text.replaceAll(/^FROM .*$/gm, "") : text, ...Object.entries(files).flat());

/** An image of ours for machines that reach a registry: its own Dockerfile, which stands on pinned official images. */
export async function prepareOwn(name: OwnImage): Promise<Prepared> {
  const text = `${readFileSync(join(projectRoot, "services", name, "Dockerfile"), "utf8")}LABEL autollm.local-image=${name}\n`;
  const files = await ownFiles(name);
  return {
    name,
    tag: localTag(name, ownKey(name, text, files)),
    dockerfile: text,
    pulls: true,
    fill: async (context) => {
      for (const [file, content] of Object.entries(files)) writeFileSync(join(context, file), content);
    },
  };
}

export async function buildImage(image: Prepared): Promise<void> {
  // One name for each tag, which is built by one program at a time: what an interrupted build left is found and removed.
  const context = cacheDir("images", `context-${fileName(image.tag)}`);
  try {
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context);
    await image.fill(context);
    writeFileSync(join(context, "Dockerfile"), image.dockerfile);
    await step(`building the local image ${image.name}`, "under a minute", async () => {
      const buildx = image.pulls && (await run("docker", ["buildx", "version"], { allowFailure: true })).code === 0;
      // The classic builder needs no plugin, and it alone is sure to see the images of its own daemon.
      const builder = buildx ? ["buildx", "build", "--load"] : ["build"];
      await run("docker", [...builder, "--tag", image.tag, context], { env: buildx ? {} : { DOCKER_BUILDKIT: "0" } });
    });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

async function filesOf(image: LocalImage): Promise<Files> {
  switch (image.kind) {
    case "debian":
      return { copy: {}, identity: "", fill: async () => {} };
    case "go":
      return goFiles(image.program, image.copy);
    case "node":
      return nodeFiles();
    case "bundle":
      return bundleFiles(image);
  }
}

function goFiles(program: GoProgramName, copy: Files["copy"]): Files {
  return {
    copy,
    identity: goProgramKey(program),
    fill: async (context) => {
      const built = await buildGoProgram(program);
      for (const file of Object.keys(copy)) cpSync(join(built, file), join(context, file), { recursive: true });
    },
  };
}

/** Node comes from the npm package for Linux and this machine's processor, which the project depends on. */
function nodeFiles(): Files {
  const folder = join(projectRoot, `node_modules/node-linux-${process.arch}`);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  return {
    copy: { node: "/usr/local/bin/node" },
    identity: version,
    fill: async (context) => cpSync(join(folder, "bin/node"), join(context, "node")),
  };
}

async function bundleFiles(image: BundleImage): Promise<Files> {
  const text = await bundleText(image.entry);
  const digest = createHash("sha256").update(text).digest("hex");
  // Other bases than Node's lack it.
  const node = image.base === "node" ? [] : [nodeFiles()];
  const parts = [...node, ...(image.programs ?? []).map(({ program, copy }) => goFiles(program, copy))];
  return {
    copy: Object.assign({}, ...parts.map((part) => part.copy), { "bundle.mjs": image.target }) as Files["copy"],
    identity: [...parts.map(({ identity }) => identity), digest].join(""),
    fill: async (context) => {
      for (const part of parts) await part.fill(context);
      writeFileSync(join(context, "bundle.mjs"), text);
    },
  };
}

/** A program and all that it imports, as one module. */
export async function bundleText(entry: string): Promise<string> {
  const result = await bundle({
    absWorkingDir: projectRoot,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node24",
    logLevel: "silent",
    // Packages in CommonJS call `require`, which an ES module has not.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  }).catch((error: unknown) => {
    throw new UserError(`${entry} cannot be bundled: ${error instanceof Error ? error.message : String(error)}`);
  });
  const text = result.outputFiles[0]?.text;
  if (text === undefined) throw new UserError(`${entry} gives no bundle`);
  return text;
}
