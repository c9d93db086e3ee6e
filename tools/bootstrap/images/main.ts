import { main, say, UserError } from "../../lib/log.ts";
import { ensureDocker } from "../docker/docker.ts";
import { ensureImages, isLocalImageName, localImageNames, pruneImages } from "./images.ts";

const help = `Builds the local images that stand in for the official ones if no registry is reachable.

usage: npx node tools/bootstrap/images/main.ts [--install] [--prune] [NAME...]

Without NAME all are built: ${localImageNames.join(", ")}.
Prints one line NAME=TAG per image. Images that are already built are left alone.
  --install  install and start Docker if it is missing (Debian, as root)
  --prune    build nothing; remove the images of former recipes that no container uses
`;

await main(async () => {
  const args = process.argv.slice(2);
  if (args.includes("--help")) {
    process.stdout.write(help);
    return 0;
  }
  const names = args.filter((arg) => arg !== "--install" && arg !== "--prune");
  const unknown = names.filter((name) => !isLocalImageName(name));
  if (unknown.length > 0) throw new UserError(`no such image: ${unknown.join(", ")}\n\n${help}`, 64);
  await ensureDocker({ install: args.includes("--install") || process.env.CI === "true" });
  if (args.includes("--prune")) {
    for (const tag of await pruneImages()) process.stdout.write(`removed ${tag}\n`);
    return 0;
  }
  const wanted = names.length === 0 ? localImageNames : names.filter(isLocalImageName);
  for (const name of wanted) {
    const tags = await ensureImages([name]);
    process.stdout.write(`${name}=${tags[name]}\n`);
  }
  say("All local images are there.");
  return 0;
});
