import { describe, expect, it, test } from "vitest";
import { images, ownImageNames, type ThirdPartyImage } from "../../../components/images.ts";
import { STAND_IN_COMMAND } from "../../../components/platform/standIn.ts";
import { prepare, prepareOwn } from "../../../tools/bootstrap/images/build.ts";
import {
  catalogue,
  type LocalImage,
  localImageFor,
  localImageNames,
} from "../../../tools/bootstrap/images/catalogue.ts";
import { collectorManifest } from "../../../tools/bootstrap/images/collector.ts";
import { dockerfile, keyOf, localTag } from "../../../tools/bootstrap/images/dockerfile.ts";
import { type GoProgramName, goProgramKey, goPrograms } from "../../../tools/bootstrap/images/goPrograms.ts";
import { debianMirror, sourceLines } from "../../../tools/bootstrap/images/mirror.ts";
import { officialVersion } from "../../../tools/docs/images.ts";

const local = localImageNames.map((name): [string, LocalImage] => [name, catalogue[name]]);
const standIns = Object.entries(images)
  .filter(([name]) => name in catalogue)
  .map(([name, official]): [string, ThirdPartyImage, LocalImage] => [
    name,
    official,
    (catalogue as Record<string, LocalImage>)[name] as LocalImage,
  ]);

describe("a local image and the official one that it stands for", () => {
  test.each(standIns)("%s runs as the same user", (_, official, image) => expect(image.user).toBe(official.user));

  test.each(standIns)("%s starts the same program", (_, official, image) => {
    expect(image.command[0]).toBe(official.program);
    expect(image.version[0]).toBe(official.program);
  });

  test.each(standIns)("%s has the same data directories, which its user may write", (_, official, image) => {
    for (const { path } of official.dataDirs) {
      expect(image.directories?.find((dir) => dir.path === path)?.owner).toBe(official.user);
    }
  });

  test("every third-party image has one, but the one that nothing scrapes locally", () => {
    const missing = (Object.keys(images) as (keyof typeof images)[]).filter(
      (name) => localImageFor(name) === undefined,
    );
    expect(missing, "add it to tools/bootstrap/images/catalogue.ts").toEqual(["nats-exporter"]);
    expect(localImageFor("ib-gateway")).toBe("reference");
  });
});

describe("the version of a local image", () => {
  const fromModule = standIns.flatMap(([name, official, image]) =>
    image.kind === "go" && image.differs === undefined ? [[name, official, image.program] as const] : [],
  );

  // Prometheus numbers its module otherwise: v0.313.1 is 3.13.1.
  test.each(fromModule)("%s is built in the version of the official image", (name, official, program) => {
    const recipe = JSON.stringify(goPrograms[program]);
    const version = officialVersion(official);
    const [major, minor, patch] = version.split(".");
    const module = name === "prometheus" ? `0.${major}${minor?.padStart(2, "0")}.${patch}` : version;
    expect(recipe).toContain(`v${module}`);
    if (name === "prometheus") expect(recipe).toContain(`version.Version=${version}`);
  });

  test("differs from the official one for a reason, or not at all", () => {
    for (const [name, official, { differs }] of standIns)
      if (differs !== undefined) expect(differs.version, name).not.toBe(officialVersion(official));
  });
});

describe("the image of a program of ours, if a registry is reachable", () => {
  it.each(ownImageNames)(
    "%s stands on images that are pulled by digest, and holds its program as one file",
    async (name) => {
      const { tag, dockerfile, pulls } = await prepareOwn(name);
      const bases = [...dockerfile.matchAll(/^FROM (?!scratch$)(\S+)/gm)].map(([, reference]) => reference);
      expect(bases).not.toEqual([]);
      expect(bases.filter((reference) => !/^[^@]+:[^@]+@sha256:[0-9a-f]{64}$/.test(reference ?? ""))).toEqual([]);
      const image: LocalImage = catalogue[name];
      expect(dockerfile).toContain(
        image.kind === "bundle"
          ? `COPY ${name}.mjs ${image.target}\n`
          : `COPY --from=build /${name} ${image.command[0]}\n`,
      );
      expect(dockerfile).toContain(`USER ${catalogue[name].user}\n`);
      expect(pulls).toBe(true);
      expect(tag).toMatch(new RegExp(`^autollm.local/${name}:[0-9a-f]{12}$`));
      expect(tag).not.toBe((await prepare(name, "autollm.local/base:1")).tag);
    },
  );

  it("the stand-in's is started as every service's own", async () => {
    expect((await prepareOwn("reference")).dockerfile).toContain(
      `CMD ${JSON.stringify(STAND_IN_COMMAND)}\n`.replace(",", ", "),
    );
  });
});

describe("a local image's Dockerfile", () => {
  test.each(local)("%s: a numeric user, and a program by its full path", (name, image) => {
    const text = dockerfile(name, image, "base:1");
    expect(text).toMatch(/^USER \d+:\d+$/m);
    expect(text).toMatch(/^CMD \["\/[^"]+"/m);
    expect(text).toMatch(/^FROM base:1$/m);
  });

  test("reads like the official image", () => {
    expect(dockerfile("redis", catalogue.redis, "base:1")).toMatchInlineSnapshot(`
      "FROM base:1
      LABEL autollm.local-image=redis
      RUN set -eu; \\
          groupadd --system --gid 1000 redis; \\
          useradd --system --uid 999 --gid 1000 --home-dir /data --no-create-home --shell /bin/sh redis; \\
          export DEBIAN_FRONTEND=noninteractive; \\
          apt-get -qq update; \\
          apt-get -qq install --yes --no-install-recommends -o Dpkg::Options::=--force-confold redis-server redis-tools; \\
          rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt; \\
          ln -sf /usr/bin/redis-server /usr/local/bin/redis-server; \\
          ln -sf /usr/bin/redis-cli /usr/local/bin/redis-cli; \\
          mkdir -p /data; \\
          chown 999:1000 /data; \\
          chmod 755 /data
      WORKDIR /data
      USER 999:1000
      CMD ["/usr/local/bin/redis-server"]
      "
    `);
  });

  test("copies files before it drops to its user", () => {
    const text = dockerfile("reference", catalogue.reference, "base:1", { "bundle.mjs": "/app/reference.mjs" });
    expect(text.indexOf("COPY bundle.mjs /app/reference.mjs")).toBeLessThan(text.indexOf("USER"));
  });
});

describe("a local image's key", () => {
  test("stays the same for the same parts", () => expect(keyOf("a", "b")).toBe(keyOf("a", "b")));
  test.each([[["ab", ""]], [["a", "b", ""]], [["b", "a"]]])("differs for %j", (parts) => {
    expect(keyOf(...parts)).not.toBe(keyOf("a", "b"));
  });
  test("makes a tag that no registry has", () => expect(localTag("redis", "0123")).toBe("autollm.local/redis:0123"));
  test("differs for every Go program", () => {
    const keys = (Object.keys(goPrograms) as GoProgramName[]).map(goProgramKey);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("the collector's components", () => {
  test("have one version, and the stable half its own", () => {
    const manifest = collectorManifest("v0.158.0");
    expect(manifest).toContain("processor/tailsamplingprocessor v0.158.0");
    expect(manifest).toContain("confmap/provider/fileprovider v1.64.0");
  });
});

describe("Debian's mirror", () => {
  const deb822 = `# a comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
`;
  test.each([
    ["deb822 files", deb822],
    [
      "one-line files",
      `deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/source bookworm main
deb http://mirror.example/security bookworm-security main # why`,
    ],
  ])("is found in %s, and other vendors' sources are not taken for it", (_, text) => {
    const other = "deb https://vendor.example/apt stable main\n";
    expect(debianMirror([other, text], "bookworm")).toEqual({
      main: "http://mirror.example/debian",
      security: "http://mirror.example/security",
    });
  });

  test("is undefined where no source has the release", () => expect(debianMirror([deb822], "sid")).toBeUndefined());

  test("serves another release, with its updates", () => {
    expect(sourceLines({ main: "http://m.example/debian", security: undefined }, "trixie")).toBe(
      "deb http://m.example/debian trixie main\ndeb http://m.example/debian trixie-updates main\n",
    );
  });
});
