import { describe, expect, test } from "vitest";
import {
  type ImageName,
  imageNames,
  imageReference,
  images,
  type ThirdPartyImage,
  unverifiedImages,
} from "../../components/images.ts";
import { manifestUrl } from "../../tools/bootstrap/images/registry.ts";

const entries = imageNames.map((name): [ImageName, ThirdPartyImage] => [name, images[name]]);

describe("third-party images", () => {
  test.each(entries)("%s is pinned, and says where its digest was seen", (_, image) => {
    expect(image.digest).toMatch(/^(sha256:[0-9a-f]{64}|unverified)$/);
    expect(image.source).not.toBe("");
  });

  test.each(entries)("%s has a tag that is a version", (_, image) => {
    expect(image.reference).toMatch(/^[a-z0-9./_-]+:v?\d+\.\d+/);
  });

  test.each(entries)("%s runs as a numeric user, and says why where that is root", (_, image) => {
    expect(image.user).toMatch(/^\d+:\d+$/);
    if (image.user.startsWith("0:")) expect(image.userReason).toBeDefined();
  });

  test.each(entries)("%s names its program and data by full paths", (_, image) => {
    for (const path of [image.program, ...image.dataDirs.map((dir) => dir.path)]) expect(path).toMatch(/^\/./);
  });

  test.each(entries)("%s has a health check or says why not", (_, image) => {
    if ("none" in image.healthcheck) expect(image.healthcheck.none).not.toBe("");
    else expect(image.healthcheck[0]).toMatch(/^CMD(-SHELL)?$/);
  });

  test("no two images share a digest", () => {
    const digests = entries.map(([, image]) => image.digest).filter((digest) => digest !== "unverified");
    expect(new Set(digests).size).toBe(digests.length);
  });

  test("a reference carries tag and digest", () => {
    expect(imageReference("postgres")).toBe(`${images.postgres.reference}@${images.postgres.digest}`);
  });

  test("an unverified image is told by name, and referred to by its tag", () => {
    expect(unverifiedImages()).toEqual(["nats-exporter"]);
    expect(imageReference("nats-exporter")).toBe(images["nats-exporter"].reference);
  });
});

describe("where a registry is asked for an image", () => {
  test.each([
    ["postgres:17.11-alpine", "https://registry-1.docker.io/v2/library/postgres/manifests/17.11-alpine"],
    ["prom/prometheus:v3.13.1", "https://registry-1.docker.io/v2/prom/prometheus/manifests/v3.13.1"],
    ["ghcr.io/google/cadvisor:v0.60.5", "https://ghcr.io/v2/google/cadvisor/manifests/v0.60.5"],
    ["localhost:5000/team/app:1", "http://localhost:5000/v2/team/app/manifests/1"],
    ["redis", "https://registry-1.docker.io/v2/library/redis/manifests/latest"],
    ["registry.example.com:5000/app:1@sha256:ab", "https://registry.example.com:5000/v2/app/manifests/sha256:ab"],
  ])("%s", (reference, url) => expect(manifestUrl(reference)).toBe(url));
});
