import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { buildStackImages } from "../../tools/lib/prepare.ts";
import { run } from "../../tools/lib/run.ts";
import { type SecondDaemon, startDocker29 } from "./lib/secondDaemon.ts";
import { docker, type TestStack, testStack } from "./lib/stack.ts";

/** The engine's own words for "nothing to do". */
const UNCHANGED = /(\d+) unchanged/;

describe("a current Docker, whose oldest API is newer than what an old client speaks", () => {
  let daemon: SecondDaemon;
  let stack: TestStack;
  const containers = async (): Promise<ReadonlyMap<string, string>> => {
    const format = '{{.Label "autollm.service"}} {{.ID}}';
    const list = await docker("ps", "--filter", `label=autollm.stack=${stack.name}`, "--format", format);
    return new Map(list.split("\n").map((line) => line.split(" ") as [string, string]));
  };
  /** The status that the door answers with, asked where the daemon publishes its ports. */
  const status = async (path: string) =>
    (
      await daemon.inside(
        ...[
          "curl",
          "--silent",
          "--insecure",
          "--max-time",
          "10",
          "--output",
          "/dev/null",
          "--write-out",
          "%{http_code}",
        ],
        `${stack.url}${path}`,
      )
    ).trim();

  beforeAll(async () => {
    const { built } = await buildStackImages();
    daemon = await startDocker29("docker29");
    await daemon.load([...new Set(Object.values(built))]);
    vi.stubEnv("DOCKER_HOST", daemon.host);
    stack = await testStack("docker29");
  });
  afterAll(async () => {
    await stack?.remove();
    vi.unstubAllEnvs();
    await daemon?.stop();
  });

  test("is what the test runs on: version 29, and it refuses API 1.43", async () => {
    expect(await docker("version", "--format", "{{.Server.Version}}")).toMatch(/^29\./);
    const old = await run("docker", ["ps"], { env: { DOCKER_API_VERSION: "1.43" }, allowFailure: true });
    expect(old.stderr).toContain("too old");
  });

  test("carries the whole platform", async () => {
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const unhealthy = await docker("ps", "--filter", "health=unhealthy", "--format", "{{.Names}}");
    expect(unhealthy).toBe("");
    expect(await status("/health")).toBe("200");
    expect(await status("/prometheus/")).toBe("401");
  });

  test("sees nothing to change afterwards, and a refresh finds no drift", async () => {
    const before = await containers();
    const again = await stack.autollm("up");
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(again.stderr).toContain("nothing changes: ");
    expect(await stack.pulumi("preview", "--expect-no-changes")).toMatch(UNCHANGED);
    const refresh = await stack.pulumi("preview", "--refresh", "--expect-no-changes");
    expect(refresh).toMatch(UNCHANGED);
    expect(refresh).not.toMatch(/\d+ to (update|replace|create|delete)/);
    expect(await containers()).toEqual(before);
  });

  test("a credential is rotated", async () => {
    const rotated = await stack.autollm("rotate", "redis-risk-manager");
    expect(rotated.code, rotated.stdout + rotated.stderr).toBe(0);
    expect(await status("/health")).toBe("200");
  });

  test("a setting reaches the services by new containers", async () => {
    const before = await containers();
    await stack.pulumi("config", "set", "logLevel", "debug");
    const up = await stack.autollm("up");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const after = await containers();
    expect(after.get("gateway-api")).not.toBe(before.get("gateway-api"));
    expect(after.get("postgres")).toBe(before.get("postgres"));
    expect(await status("/health")).toBe("200");
  });

  test("goes without a trace", async () => {
    const down = await stack.autollm("down");
    expect(down.code, down.stdout + down.stderr).toBe(0);
    for (const kind of [
      ["ps", "--all"],
      ["volume", "ls"],
      ["network", "ls"],
    ] as const)
      expect(await docker(...kind, "--quiet", "--filter", `label=autollm.stack=${stack.name}`)).toBe("");
  });
});
