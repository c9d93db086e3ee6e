import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { ruleTable, waiverTable } from "../../policies/lib/readme.ts";
import { architecturePage } from "../../tools/docs/architecture.ts";
import { commandsTable } from "../../tools/docs/commands.ts";
import { imagesTable } from "../../tools/docs/images.ts";
import { between } from "../../tools/docs/marks.ts";
import { architecturePicture } from "../../tools/docs/picture.ts";
import { segmentsPage } from "../../tools/docs/segments.ts";
import { root } from "../../tools/lib/workspace.ts";
import { membersOf } from "./lib/members.ts";
import type { Recording } from "./lib/mocks.ts";
import { runProduction } from "./lib/platform.ts";

let platform: Recording;
beforeAll(async () => {
  platform = await runProduction();
});

/** A page whose parts by that name, between two marks each, are made from the program. */
function withParts(path: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce(
    (page, [name, text]) => between(page, `<!-- ${name} -->`, `<!-- end of the ${name} -->`, text),
    readFileSync(join(root, path), "utf8"),
  );
}

/** Every page that is made from the program, in whole or in parts. What a test or the benchmark measured is written by those. */
const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  "README.md": () => withParts("README.md", { commands: commandsTable() }),
  "docs/architecture.md": architecturePage,
  "docs/architecture.svg": architecturePicture,
  "docs/images.md": () => withParts("docs/images.md", { images: imagesTable() }),
  "docs/segments.md": () => segmentsPage(membersOf(platform)),
  "policies/README.md": () => withParts("policies/README.md", { rules: ruleTable(), waivers: waiverTable() }),
};

it.each(Object.entries(pages))("%s is what the program makes (npm run docs writes it)", async (path, page) => {
  await expect(await page()).toMatchFileSnapshot(`../../${path}`);
});
