import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownImageNames } from "../../../components/images.ts";
import { command, USAGE } from "../../lib/command.ts";
import { UserError } from "../../lib/log.ts";
import { prepareOwn } from "./build.ts";

await command(
  {
    usage: "NAME DIR",
    about: `Writes into DIR what \`docker build\` needs for an image of ours (${ownImageNames.join(", ")}) that registries hold, and prints its key:
the same key is the same image.`,
    options: {},
    positionals: true,
    changes: "nothing",
  },
  async (_, [name, directory, ...more]) => {
    const own = ownImageNames.find((each) => each === name);
    if (own === undefined || directory === undefined || more.length > 0)
      throw new UserError("give the image's name and a folder", USAGE);
    mkdirSync(directory, { recursive: true });
    const { dockerfile, fill, tag } = await prepareOwn(own);
    writeFileSync(join(directory, "Dockerfile"), dockerfile);
    await fill(directory);
    process.stdout.write(`${tag.split(":").at(-1)}\n`);
    return 0;
  },
).run("npx node tools/bootstrap/images/context.ts", process.argv.slice(2));
