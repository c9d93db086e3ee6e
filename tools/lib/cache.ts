import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The folder for what is slow to build: the engine, providers and images. It lies outside the tree, so a fresh clone finds it warm.
 * `AUTOLLM_CACHE` overrides the default, `$XDG_CACHE_HOME/autollm-trader` (`~/.cache/autollm-trader`).
 */
export function cacheDir(...parts: string[]): string {
  const base =
    process.env.AUTOLLM_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "autollm-trader");
  const dir = join(base, ...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}
