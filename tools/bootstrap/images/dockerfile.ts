import { createHash } from "node:crypto";
import type { LocalImage } from "./catalogue.ts";

/** Registry part of every local tag. It names no host: nothing under it can be pulled. */
export const TAG_PREFIX = "autollm.local/";

/** A short hash of everything that makes an image: the same parts, in the same order, give the same key. */
export function keyOf(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest("hex").slice(0, 12);
}

export function localTag(name: string, key: string): string {
  return `${TAG_PREFIX}${name}:${key}`;
}

/** A tag as a file's name. */
export function fileName(tag: string): string {
  return tag.replace(/[/:]/g, "-");
}

/** The Dockerfile of a local image; `files` are copied from the build context: name there -> path in the image. */
export function dockerfile(
  name: string,
  image: LocalImage,
  base: string,
  files: Readonly<Record<string, string>> = {},
): string {
  const lines = [`FROM ${base}`, `LABEL autollm.local-image=${name}`];
  // The image that it stands on has dropped to its own user.
  if (image.kind === "bundle" && image.packages !== undefined) lines.push("USER 0:0");
  lines.push(...runLine(setUp(image)));
  for (const [from, to] of Object.entries(files)) lines.push(`COPY ${from} ${to}`);
  lines.push(...runLine(image.after ?? []));
  for (const [key, value] of Object.entries(image.env ?? {})) lines.push(`ENV ${key}=${JSON.stringify(value)}`);
  if (image.workdir !== undefined) lines.push(`WORKDIR ${image.workdir}`);
  lines.push(`USER ${image.user}`, `CMD ${JSON.stringify(image.command)}`);
  return `${lines.join("\n")}\n`;
}

function setUp(image: LocalImage): string[] {
  const script = [...(image.before ?? [])];
  if (image.packages !== undefined) {
    script.push(
      "export DEBIAN_FRONTEND=noninteractive",
      "apt-get -qq update",
      `apt-get -qq install --yes --no-install-recommends -o Dpkg::Options::=--force-confold ${image.packages.join(" ")}`,
      "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt",
    );
  }
  for (const [link, target] of Object.entries(image.links ?? {})) script.push(`ln -sf ${target} ${link}`);
  for (const { path, owner, mode } of image.directories ?? []) {
    script.push(`mkdir -p ${path}`, `chown ${owner} ${path}`, `chmod ${mode ?? "755"} ${path}`);
  }
  return script;
}

function runLine(script: readonly string[]): string[] {
  return script.length === 0 ? [] : [`RUN set -eu; \\\n    ${script.join("; \\\n    ")}`];
}
