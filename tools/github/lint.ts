import { goTool, zizmor } from "../lib/buildTools.ts";
import { command } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { run, which } from "../lib/run.ts";
import { root } from "../lib/workspace.ts";

export const lintWorkflowsCommand = command(
  {
    about: `Checks .github with actionlint (syntax, expressions, and the scripts within by shellcheck) and zizmor (security), offline.
Both are installed into the cache in pinned versions, which needs Go and Python 3.`,
    options: {},
    changes: "nothing",
  },
  async () => {
    const shellcheck = await which("shellcheck");
    if (shellcheck === undefined) throw new UserError("shellcheck is needed, for the scripts in the workflows");
    const checks: readonly (readonly [string, readonly string[]])[] = [
      [await goTool("actionlint"), ["-shellcheck", shellcheck, "-pyflakes", ""]],
      [await zizmor(), ["--offline", "--persona", "pedantic", "--no-progress", ".github"]],
      [
        shellcheck,
        [
          "tools/github/protect.sh",
          "tools/github/propose.sh",
          ".githooks/pre-commit",
          "tools/lib/stack-lock.sh",
          "tools/lib/keyless/ssh",
        ],
      ],
    ];
    let failed = 0;
    for (const [program, args] of checks) {
      const { code } = await run(program, args, { cwd: root, output: "show", allowFailure: true });
      say(`${code === 0 ? "ok " : "failed"}  ${program.split("/").at(-1)}`);
      if (code !== 0) failed += 1;
    }
    return failed === 0 ? 0 : 1;
  },
);
