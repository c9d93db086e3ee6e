import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageStartScript } from "../../../components/platform/imageStart.ts";
import type { RecordedStart } from "../../../components/platform/release.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "image-start-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the script with a client of Docker in whose images every program is found, and whose image starts as given. */
function look(own: string, args: { recorded?: RecordedStart; command?: readonly string[] } = {}) {
  const client = join(folder, "docker");
  writeFileSync(join(folder, "own"), own);
  writeFileSync(client, `#!/bin/sh\ncase "$*" in *"image inspect"*) cat '${join(folder, "own")}' ;; esac\n`);
  chmodSync(client, 0o755);
  const script = imageStartScript({
    ...{ dockerSocket: "unix:///nowhere", imageId: "sha256:1", reference: "r.example/app@sha256:1" },
    ...{ service: "reporter", user: "70110:70110", asksHealth: true },
    ...args,
  });
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8", env });
  return { status, stdout, stderr: stderr.trim() };
}

describe("an image is inspected before its service is replaced", () => {
  it("by its own entry point and command, which are what it starts", () => {
    expect(look('["/entry"]\n["serve"]\n')).toEqual({ status: 0, stdout: '["/entry"]\n["serve"]\n', stderr: "" });
    expect(look("null\nnull\n").stderr).toBe(
      "reporter: its image r.example/app@sha256:1 names no program to start: set release.reporter.command",
    );
    expect(look("null\nnull\n", { command: ["/app"] }).status).toBe(0);
  });

  it("and must start what was recorded when its digest was pinned", () => {
    const recorded = { entrypoint: [], command: ["sh", "-c", 'echo "a" && <b> it\'s'] };
    // As Docker's client writes it: Go escapes what HTML would take for its own.
    const own = `null\n["sh","-c","echo \\"a\\" \\u0026\\u0026 \\u003cb\\u003e it's"]\n`;
    expect(look(own, { recorded }).stderr).toBe("");
    for (const other of ["null\nnull\n", '["/entry"]\n["sh"]\n', '["sh"]\nnull\n'])
      expect(look(other, { recorded })).toMatchObject({
        status: 1,
        stderr:
          "reporter: its image r.example/app@sha256:1 starts otherwise than release.reporter.recorded says: pin it again by ./autollm pin, or remove release.reporter.recorded",
      });
  });
});
