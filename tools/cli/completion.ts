import { entries } from "../commands.ts";
import { command, USAGE } from "../lib/command.ts";
import { completionScript, shells } from "../lib/completion.ts";
import { UserError } from "../lib/log.ts";

export const completionCommand = command(
  {
    usage: shells.join(" | "),
    about: `Prints a script by which your shell completes these commands, their options and the stacks' names. Add one of these lines to the
shell's startup file:

  source <(./autollm completion bash)     # ~/.bashrc, with the path of your clone
  source <(./autollm completion zsh)      # ~/.zshrc, after compinit`,
    choices: shells,
    options: {},
    positionals: true,
    changes: "nothing",
  },
  async (_, [name, ...more]) => {
    const shell = shells.find((each) => each === name);
    if (shell === undefined || more.length > 0) throw new UserError(`name the shell: ${shells.join(" or ")}`, USAGE);
    const all = await Promise.all(
      entries.map(async ([each, { summary, load }]) => {
        const { options, choices } = await load();
        return { name: each, summary, options, choices };
      }),
    );
    process.stdout.write(`${completionScript(shell, all)}\n`);
    return 0;
  },
);
