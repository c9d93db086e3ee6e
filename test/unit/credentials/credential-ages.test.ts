import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { agesAsMetrics, generationLines, rotationPeriod } from "../../../components/credentials/ages.ts";
import { rotationUnits } from "../../../components/credentials/catalogue.ts";
import { agesScript } from "../../../components/credentials/credentialAges.ts";

const nobody = new Set<never>();
const run = (lines: string, before?: string) =>
  execFileSync("sh", ["-c", agesScript], {
    input: lines,
    encoding: "utf8",
    env: { ...process.env, ...(before === undefined ? {} : { PULUMI_COMMAND_STDOUT: before }) },
  });

describe("the age of a credential", () => {
  it("is kept for each that the platform makes, and for none that the owner supplied", () => {
    const names = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]);
    expect(names(generationLines({ generation: {}, supplied: nobody }))).toEqual(rotationUnits);
    expect(names(generationLines({ generation: {}, supplied: new Set(["vnc"]) as never }))).not.toContain("vnc");
    expect(generationLines({ generation: { vnc: 3 }, supplied: nobody })).toContain("vnc 3 90\n");
    for (const unit of rotationUnits) expect(rotationPeriod(unit), unit).toBe(90);
  });

  it("begins when its generation is first seen", () => {
    const now = Math.floor(Date.now() / 1000);
    const [, , , since] = run("redis 1 90\n").trim().split(" ");
    expect(Number(since)).toBeGreaterThanOrEqual(now);
  });

  it("continues while the generation stays, whatever else changes, and restarts with another", () => {
    const after = run("jwt 1 90\nredis 2 30\n", "redis 1 90 1000\njwt 1 90 2000\n");
    expect(after).toContain("jwt 1 90 2000\n");
    expect(after).not.toContain("1000");
    expect(run("redis 1 30\n", "redis 1 90 1000")).toBe("redis 1 30 1000\n");
  });

  it("is told to Prometheus with the period that it may reach", () => {
    expect(agesAsMetrics("redis 1 90 1000\njwt 4 30 2000").split("\n")).toEqual(
      expect.arrayContaining([
        'credential_rotated_timestamp_seconds{name="redis"} 1000',
        'credential_rotation_period_seconds{name="redis"} 7776000',
        'credential_rotated_timestamp_seconds{name="jwt"} 2000',
      ]),
    );
  });
});
