import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { serviceNames } from "../../components/platform/catalogue.ts";
import { pinnedImage } from "../../components/platform/release.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { changeTable, pinned, type Release, releaseChanges } from "../lib/release.ts";
import { ownImages, StackFile } from "../lib/stackFile.ts";
import { root } from "../lib/workspace.ts";

const words = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const input = z.partialRecord(
  z.enum([...serviceNames, ...ownImages]),
  z.union([pinnedImage, z.strictObject({ image: pinnedImage, entrypoint: words, command: words })]),
);

export const pinCommand = command(
  {
    usage: "[--stack NAME] < images.json",
    about: `Writes images into a stack's \`release\`, where each service keeps its own command and health check.

  images.json: {"gateway-api": {"image": "registry/gateway-api@sha256:...",
                                "entrypoint": [...], "command": [...]}, "backup": ..., "edge-sockets": ..., ...}

Services that it does not name stay as they are. Entry point and command are those of the image, as \`docker image inspect\` tells
them (null for none): they are recorded beside the digest. An image alone, as a text, records none, and removes the former's.`,
    options: { stack: { type: "string", default: "staging", value: "NAME", says: "whose release (default staging)" } },
    changes: "nothing",
  },
  async ({ stack }) => {
    if (!/^[a-z][a-z0-9-]*$/.test(stack)) throw new UserError(`"${stack}" is no stack name`, USAGE);
    const parsed = input.safeParse(JSON.parse(readFileSync(0, "utf8")));
    if (!parsed.success) throw new UserError(`standard input: ${z.prettifyError(parsed.error)}`);
    const file = new StackFile(join(root, `Pulumi.${stack}.yaml`));
    const before = file.images();
    const after: Record<string, Release[string]> = { ...before };
    for (const [service, image] of Object.entries(parsed.data)) after[service] = pinned(before[service], image);
    const changes = releaseChanges(before, after);
    if (changes.length === 0) {
      say(`Pulumi.${stack}.yaml names these images already`);
      return 0;
    }
    process.stdout.write(`${changeTable(changes)}\n`);
    file.setImages(after);
    file.save();
    return 0;
  },
);
