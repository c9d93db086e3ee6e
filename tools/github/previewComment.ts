import { readFileSync } from "node:fs";
import { command, USAGE } from "../lib/command.ts";
import { UserError } from "../lib/log.ts";
import { previewComment } from "./comment.ts";

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export const previewCommentCommand = command(
  {
    usage: "STACK=FILE...",
    about: `Makes the pull request's comment, as Markdown on stdout, from the output of \`preview\` of each stack.
A FILE that does not exist stands for a preview that was not made.`,
    options: {},
    positionals: true,
    changes: "nothing",
  },
  async (_, pairs) => {
    if (pairs.length === 0) throw new UserError("give STACK=FILE", USAGE);
    const previews = pairs.map((pair) => {
      const [stack = "", path = ""] = pair.split("=", 2);
      if (stack === "" || path === "") throw new UserError(`"${pair}" is not STACK=FILE`, USAGE);
      return { stack, text: textOf(path) };
    });
    process.stdout.write(previewComment(previews));
    return 0;
  },
);
