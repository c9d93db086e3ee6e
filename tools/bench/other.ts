import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { step, UserError } from "../lib/log.ts";
import { run } from "../lib/run.ts";
import { root } from "../lib/workspace.ts";

/**
 * Does the work with a checkout of another commit, with that commit's own packages, and removes it.
 * @throws UserError where the repository has no such commit
 */
export async function withCommit<T>(commit: string, work: (tree: string) => Promise<T>): Promise<T> {
  const found = await run("git", ["rev-parse", "--verify", "--quiet", `${commit}^{commit}`], {
    cwd: root,
    allowFailure: true,
  });
  if (found.code !== 0) throw new UserError(`--compare ${commit}: this repository has no such commit`);
  const folder = mkdtempSync(join(tmpdir(), "autollm-bench-commit-"));
  const tree = join(folder, "tree");
  try {
    await run("git", ["worktree", "add", "--detach", tree, found.stdout.trim()], { cwd: root });
    await step(`installing the packages of ${commit}`, "a minute", () =>
      run("npm", ["ci", "--prefer-offline", "--no-fund", "--no-audit"], { cwd: tree }),
    );
    return await work(tree);
  } finally {
    if (existsSync(tree)) await run("git", ["worktree", "remove", "--force", tree], { cwd: root, allowFailure: true });
    rmSync(folder, { recursive: true, force: true });
  }
}
