import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, USAGE } from "../lib/command.ts";
import { UserError } from "../lib/log.ts";
import { prepareOwn } from "./build.ts";

const HELP = `usage: npx node tools/images/context.ts DIR

Writes what \`docker build\` needs for the backup's image that registries hold: its Dockerfile, and the program as one file.`;

await command({ help: HELP, options: {}, positionals: true, changes: "nothing" }, async (_, [directory, ...more]) => {
  if (directory === undefined || more.length > 0) throw new UserError(HELP, USAGE);
  mkdirSync(directory, { recursive: true });
  const { dockerfile, fill } = await prepareOwn("backup");
  writeFileSync(join(directory, "Dockerfile"), dockerfile);
  await fill(directory);
  return 0;
});
