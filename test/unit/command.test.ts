import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";

const folder = fileURLToPath(new URL("../../tools/cli/", import.meta.url));
/** Hands everything on to Pulumi, which has options of its own. */
const OTHERS = ["pulumi.ts"];
const commands = readdirSync(folder).filter((file) => !OTHERS.includes(file));

test.each(commands)(
  "%s takes --yes, as every command does, and tells its usage where an option is unknown",
  async (file) => {
    const { code, stderr } = await run(process.execPath, [`${folder}${file}`, "--yes", "--no-such-option"], {
      allowFailure: true,
    });
    expect(code).toBe(64);
    expect(stderr).toContain("'--no-such-option'");
    expect(stderr).toContain("\nusage: npm run ");
  },
);
