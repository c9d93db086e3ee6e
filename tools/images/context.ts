import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command, USAGE } from "../lib/command.ts";
import { UserError } from "../lib/log.ts";
import { bundleText } from "./build.ts";
import { catalogue } from "./catalogue.ts";

const HELP = `usage: npx node tools/images/context.ts DIR

Writes what \`docker build\` needs for the backup's image that registries hold: its Dockerfile, and the program as one file.`;

await command({ help: HELP, options: {}, positionals: true }, async (_, [directory, ...more]) => {
  if (directory === undefined || more.length > 0) throw new UserError(HELP, USAGE);
  mkdirSync(directory, { recursive: true });
  copyFileSync(
    fileURLToPath(new URL("../../services/backup/Dockerfile", import.meta.url)),
    join(directory, "Dockerfile"),
  );
  writeFileSync(join(directory, "backup.mjs"), await bundleText(catalogue.backup.entry));
  return 0;
});
