import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refer } from "../../../components/platform/references.ts";
import { deployments, previousRelease, type Update } from "../../../tools/lib/history.ts";
import { changeTable, pinned, type Release, releaseChanges, sameRelease } from "../../../tools/lib/release.ts";
import { StackFile } from "../../../tools/lib/stackFile.ts";

const image = (name: string, digit: string) => `registry.example/${name}@sha256:${digit.repeat(64)}`;
const one: Release = { reporter: { image: image("reporter", "1") } };
const two: Release = { reporter: { image: image("reporter", "2") }, "llm-agents": { image: image("llm-agents", "2") } };

describe("two releases", () => {
  it("are the same whatever the order of their keys", () => {
    expect(sameRelease(two, Object.fromEntries(Object.entries(two).reverse()))).toBe(true);
    expect(sameRelease(one, two)).toBe(false);
  });

  it("differ by image, by command, and by what only one has", () => {
    expect(releaseChanges(one, two).map(({ service }) => service)).toEqual(["llm-agents", "reporter"]);
    expect(releaseChanges(one, {}).map(({ to }) => to)).toEqual([undefined]);
    const started = { reporter: { ...one.reporter, image: image("reporter", "1"), command: ["/start"] } };
    expect(releaseChanges(one, started)).toHaveLength(1);
    expect(changeTable(releaseChanges(one, started))).toContain("the same image");
    expect(releaseChanges(one, one)).toEqual([]);
  });

  it("are shown as a table that tells digests apart", () => {
    expect(changeTable(releaseChanges(one, two)).split("\n")).toEqual([
      "service     now                                     then",
      "llm-agents  (none)                                  registry.example/llm-agents@222222222222",
      "reporter    registry.example/reporter@111111111111  registry.example/reporter@222222222222",
    ]);
  });
});

const update = (startTime: string, release: Release | undefined, changes: Partial<Update> = {}): Update => ({
  kind: "update",
  result: "succeeded",
  startTime,
  environment: { "git.head": `commit-${startTime.slice(8, 10)}` },
  config: release === undefined ? {} : { "autollm:release": { value: JSON.stringify(release), objectValue: release } },
  ...changes,
});
/** Newest first, as Pulumi prints it. */
const history: readonly Update[] = [
  update("2026-01-05T10:00:00.000Z", two, { result: "failed" }),
  update("2026-01-04T10:00:00.000Z", two, { kind: "refresh" }),
  update("2026-01-03T10:00:00.000Z", one),
  update("2026-01-02T10:00:00.000Z", one),
  update("2026-01-01T10:00:00.000Z", undefined),
];

describe("the history", () => {
  it("has deployments only where an update ended well", () => {
    expect(deployments(history).map(({ time }) => time.slice(8, 10))).toEqual(["03", "02", "01"]);
  });

  it("leads back from a failed release to the last good other one", () => {
    expect(previousRelease(history, two)).toMatchObject({ release: one, commit: "commit-03" });
  });

  it("leads back from a release that went well but is bad", () => {
    expect(previousRelease(history, one)).toMatchObject({ release: {}, commit: "commit-01" });
  });

  it("leads to the deployment that is asked for, and nowhere when there is none", () => {
    expect(previousRelease(history, two, "2026-01-02")?.time).toBe("2026-01-02T10:00:00.000Z");
    expect(previousRelease(history, two, "2026-01-05")).toBeUndefined();
    expect(previousRelease([], two)).toBeUndefined();
    expect(previousRelease(history.slice(2, 4), one)).toBeUndefined();
  });
});

describe("a digest that is pinned", () => {
  const own = { entrypoint: ["/entry"], command: ["serve", "--quiet"] };
  const former = { image: image("reporter", "1"), health: ["/health"], recorded: { entrypoint: [], command: ["old"] } };

  it("has what its image starts recorded beside it, and keeps what else the release says", () => {
    expect(pinned(former, { image: image("reporter", "2"), ...own })).toEqual({
      image: image("reporter", "2"),
      health: ["/health"],
      recorded: own,
    });
  });

  it("keeps nothing of what was recorded of the former image", () => {
    expect(pinned(former, image("reporter", "2"))).toEqual({ image: image("reporter", "2"), health: ["/health"] });
    expect(pinned(undefined, image("reporter", "2"))).toEqual({ image: image("reporter", "2") });
  });
});

describe("a stack's file", () => {
  const text = `# Ours.\nconfig:\n  autollm:environment: staging # why\n  autollm:openai:\n    secure: v1:abc:def\n`;

  it("keeps comments and secrets when a release is written, and gives it back", () => {
    const folder = mkdtempSync(join(tmpdir(), "autollm-test-"));
    try {
      const path = join(folder, "Pulumi.staging.yaml");
      const file = new StackFile(path, text);
      file.setRelease(two);
      file.save();
      const written = readFileSync(path, "utf8");
      expect(written.startsWith(text)).toBe(true);
      expect(new StackFile(path).release()).toEqual(two);
      const again = new StackFile(path);
      again.setRelease({});
      expect(again.toString()).toBe(text);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("judges a release by the application and the credentials that stand beside it", () => {
    const env = { TOKEN: `Bearer ${refer("credential", "openai")}` };
    const release = { "llm-agents": { image: image("llm-agents", "1"), environment: env } };
    const of = (more: string) =>
      new StackFile("Pulumi.x.yaml", `config:\n  autollm:release: ${JSON.stringify(release)}\n${more}`).release();
    expect(() => of("")).toThrow(/credential:openai, which is not supplied/);
    expect(of("  autollm:openai:\n    secure: v1:abc:def\n  autollm:kraken-key:\n    secure: v1:abc:def\n")).toEqual(
      release,
    );
  });

  it("carries the backup's image with the services', and keeps what else is said of the backup", () => {
    const given = `config:\n  autollm:backup:\n    time: "03:00" # after the close\n`;
    const file = new StackFile("Pulumi.x.yaml", given);
    const images = {
      ...two,
      backup: { image: image("backup", "b") },
      "edge-sockets": { image: image("edge-sockets", "c") },
    };
    file.setImages(images);
    expect(file.images()).toEqual(images);
    expect(file.release()).toEqual(two);
    expect(file.get("backup")).toEqual({ time: "03:00", image: images.backup.image });
    expect(file.toString()).toContain("# after the close");
  });

  it("refuses a release that is not pinned by digest, or names no service", () => {
    const release = (value: unknown) =>
      new StackFile("Pulumi.x.yaml", `config:\n  autollm:release: ${JSON.stringify(value)}\n`).release();
    expect(() => release({ reporter: { image: "reporter:latest" } })).toThrow(/pinned by digest/);
    expect(() => release({ reportr: { image: image("x", "1") } })).toThrow(/Pulumi.x.yaml/);
  });

  it("refuses what is no stack's file", () => {
    expect(() => new StackFile("x.yaml", "name: x\n")).toThrow(/no stack's file/);
    expect(() => new StackFile("x.yaml", "config: [\n")).toThrow(/x.yaml/);
    expect(() => new StackFile("/nowhere/Pulumi.x.yaml")).toThrow("there is no /nowhere/Pulumi.x.yaml");
  });
});
