import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Recording } from "../lib/mocks.ts";
import { hostSetting, localConfig, runPlatform } from "../lib/platform.ts";

/** Prometheus's rules, by whatever command they are written. */
function rulesOf(platform: Recording): string {
  const writers = platform.resources.filter(
    ({ name }) => name === "prometheus-files" || name === "prometheus-live-files",
  );
  const words = writers.flatMap(({ inputs }) => String(inputs.stdin ?? "").split(/\s+/));
  return words.map((word) => Buffer.from(word, "base64").toString()).join("\n");
}

describe("the platform on a host of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "autollm-host-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const host = hostSetting(folder);

  test("shows which security fixes it lacks, and says so when nobody knows", async () => {
    const platform = await runPlatform({ config: { ...localConfig, host } });
    const exporter = platform.container("node-exporter");
    expect(exporter.mounts).toContainEqual({
      type: "bind",
      source: "/var/lib/autollm/metrics",
      target: "/host/metrics",
      readOnly: true,
    });
    expect(exporter.command).toContain("--collector.textfile.directory=/host/metrics");
    expect(rulesOf(platform)).toContain("SecurityFixesUnknown");
  });

  test("says nothing of the fixes of a machine that it does not set up", async () => {
    const platform = await runPlatform();
    const exporter = platform.container("node-exporter");
    expect(JSON.stringify([exporter.mounts, exporter.command])).not.toContain("/host/metrics");
    expect(rulesOf(platform)).toContain("DiskFull");
    expect(rulesOf(platform)).not.toContain("SecurityFixes");
  });
});
