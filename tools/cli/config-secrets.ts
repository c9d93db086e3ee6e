import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { configCommand } from "../../components/configCommand.ts";
import { command } from "../lib/command.ts";
import { say } from "../lib/log.ts";
import { plainSecrets } from "../lib/plainSecrets.ts";
import { root } from "../lib/workspace.ts";

/** The stack of a file `Pulumi.NAME.yaml`. */
const stackOf = (path: string) => basename(path).replace(/^Pulumi\.(.+)\.yaml$/, "$1");

export const configSecretsCommand = command(
  {
    usage: "[FILE...]",
    about:
      "Looks for secrets in plain text in stacks' files (by default every Pulumi.*.yaml of the repository). Ends with 1 if it finds one.",
    options: {},
    positionals: true,
    changes: "nothing",
  },
  async (_, files) => {
    const all = readdirSync(root)
      .filter((name) => /^Pulumi\..+\.yaml$/.test(name))
      .map((name) => join(root, name));
    const paths = files.length > 0 ? files : all;
    const found = paths.flatMap((path) => plainSecrets(readFileSync(path, "utf8")).map((key) => ({ path, key })));
    for (const { path, key } of found)
      say(
        `${basename(path)}: ${key} is in plain text; repair it with: ${configCommand(stackOf(path), `set --secret ${key}`)}, and make a new value`,
      );
    return found.length === 0 ? 0 : 1;
  },
);
