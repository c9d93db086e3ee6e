import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { vi } from "vitest";

/**
 * Puts a shell script in Docker's place on PATH, until `vi.unstubAllEnvs()`.
 * @returns its folder, which the script knows as `$DOCKER_HOME` and the caller removes
 */
export function fakeDocker(script: string): string {
  const home = mkdtempSync(join(tmpdir(), "autollm-test-"));
  writeFileSync(join(home, "docker"), `#!/bin/sh\n${script}`);
  chmodSync(join(home, "docker"), 0o755);
  vi.stubEnv("PATH", `${home}${delimiter}${process.env.PATH}`);
  vi.stubEnv("DOCKER_HOME", home);
  return home;
}
