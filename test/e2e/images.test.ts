import { beforeAll, describe, expect, test } from "vitest";
import { type ImageName, images, type ThirdPartyImage } from "../../components/images.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { buildImage, prepareOwn } from "../../tools/bootstrap/images/build.ts";
import {
  catalogue,
  type LocalImage,
  type LocalImageName,
  localImageNames,
} from "../../tools/bootstrap/images/catalogue.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { localVersion } from "../../tools/docs/images.ts";
import { run } from "../../tools/lib/run.ts";

/** All of them; fewer by name: `IMAGES=loki,jaeger`. */
const asked = process.env.IMAGES?.split(",");
const names = localImageNames.filter((name) => asked?.includes(name) ?? true);

/** A container as hardened as a workload's. */
async function hardened(
  name: LocalImageName,
  tag: string,
  command: readonly string[],
  options: readonly string[] = [],
) {
  const [program = "", ...args] = command;
  const official: ThirdPartyImage | undefined = (images as Record<string, ThirdPartyImage>)[name];
  return run(
    "docker",
    [
      ...["run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
      ...(official?.capabilities ?? []).map((capability) => `--cap-add=${capability}`),
      `--user=${catalogue[name].user}`,
      ...options,
      `--entrypoint=${program}`,
      ...[tag, ...args],
    ],
    { allowFailure: true },
  );
}

beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
});

describe.each(names)("%s", (name) => {
  const image: LocalImage = catalogue[name];
  let tag = "";
  beforeAll(async () => {
    tag = (await ensureImages([name]))[name];
  });

  test("starts as its numeric user, with a read-only root and without capabilities, and tells its version", async () => {
    const { code, stdout, stderr } = await hardened(name, tag, image.version);
    const version = Object.hasOwn(images, name) ? localVersion(name as ImageName, image) : "";
    expect({ code, said: stdout + stderr }).toEqual({ code: 0, said: expect.stringContaining(version) });
  });

  test("runs as the user that it names, who may write its data and nothing else", async () => {
    const dirs = (image.directories ?? []).filter((dir) => dir.owner === image.user).map((dir) => dir.path);
    const script = `id -u; id -g; for dir in ${dirs.join(" ")}; do test "$(stat -c %u:%g $dir)" = "$(id -u):$(id -g)" || echo $dir; done; touch /x 2>/dev/null && echo writable root; true`;
    const { stdout } = await hardened(name, tag, ["/bin/sh", "-c", script]);
    expect(stdout.trim().split("\n").join(":")).toBe(image.user);
  });

  test("a new named volume on its data belongs to its user", async () => {
    const official: ThirdPartyImage | undefined = (images as Record<string, ThirdPartyImage>)[name];
    for (const { path } of official?.dataDirs ?? []) {
      const volume = ["--mount", `type=volume,dst=${path}`];
      const { code, stderr } = await hardened(name, tag, ["/bin/sh", "-c", `touch ${path}/x`], volume);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    }
  });

  test("is not built again", async () => {
    const start = Date.now();
    expect((await ensureImages([name]))[name]).toBe(tag);
    expect(Date.now() - start).toBeLessThan(5000);
  });
});

test("the stand-in's own Dockerfile makes an image that starts, on a Node of any origin", async () => {
  const { node } = await ensureImages(["node"]);
  const image = await prepareOwn("reference");
  const tag = "autollm.local/reference:dockerfile-test";
  try {
    const dockerfile = image.dockerfile.replace(/^FROM \S+$/m, `FROM ${node}`);
    await buildImage({ ...image, tag, dockerfile, pulls: false });
    const { code, stderr } = await hardened("reference", tag, ["node", "--check", "/app/reference.mjs"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  } finally {
    await run("docker", ["rmi", tag], { allowFailure: true });
  }
});
