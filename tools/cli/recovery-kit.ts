import { existsSync } from "node:fs";
import { commandLine } from "../../components/configCommand.ts";
import { command, DIFFERS, JSON_OUT, STACK, USAGE } from "../lib/command.ts";
import { Daemon } from "../lib/daemon.ts";
import { say, UserError } from "../lib/log.ts";
import { checkKitFolder, kitDifferences, kitFacts, writeKit } from "../lib/recoveryKit.ts";

import { openWorkspace, stackExists } from "../lib/workspace.ts";

export const recoveryKitCommand = command(
  {
    usage: "FOLDER | --check FOLDER",
    about: `Writes what a recovery needs that is in no backup into a folder for your safe: the backup's key, the passphrase, the
stack's config and the engine's state. With the folder, an attacker can read every backup and secret of the stack.

The stack notes when a kit was made. Make another one after a change of the backup's key, of the passphrase or of the config: with
--check, the command compares a kit with the stack and changes nothing.`,
    words: { FOLDER: "where it goes; a kit that is there is replaced" },
    positionals: true,
    options: {
      stack: STACK,
      check: { type: "boolean", says: "instead: whether the kit in FOLDER is still right" },
      json: JSON_OUT,
    },
    differs: "--check finds a kit with which a recovery would fail",
    changes: "nothing",
  },
  async ({ stack, check, json }, [folder, ...more]) => {
    if (folder === undefined || more.length > 0) throw new UserError("name one folder", USAGE);
    const workspace = await openWorkspace(stack);
    if (!(await stackExists(workspace)))
      throw new UserError(`there is no stack ${stack}; bring it up: ${commandLine(stack, "up")}`);
    if (check) {
      if (!existsSync(folder)) throw new UserError(`${folder} does not exist`);
      const found = kitDifferences(folder, await kitFacts(workspace));
      const useless = found.some(({ vital }) => vital);
      if (json) process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
      else {
        for (const { file, says } of found) process.stdout.write(`${file} ${says}\n`);
        say(
          useless
            ? `make another kit: ${commandLine(stack, `recovery-kit ${folder}`)}`
            : `the kit in ${folder} is right for the stack ${stack}`,
        );
      }
      return useless ? DIFFERS : 0;
    }
    checkKitFolder(folder);
    const facts = await kitFacts(workspace);
    const names = writeKit(folder, facts, new Date());
    const daemon = await Daemon.of(workspace);
    await daemon.run(["exec", await daemon.container("backup"), "node", "/app/backup.mjs", "kit-made"]);
    if (json) process.stdout.write(`${JSON.stringify(names)}\n`);
    else
      say(`${folder}: ${names.join(", ")}. Put it into your safe, and remove it from here. Its use: docs/disaster.md`);
    return 0;
  },
);
