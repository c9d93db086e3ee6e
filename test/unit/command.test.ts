import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../../tools/lib/run.ts";

const folder = fileURLToPath(new URL("../../tools/cli/", import.meta.url));
/** Hands everything on to Pulumi, which has options of its own. */
const OTHERS = ["pulumi.ts"];
const commands = readdirSync(folder).filter((file) => !OTHERS.includes(file));

test.each(commands)("%s tells its usage, and takes --yes as every command does", async (file) => {
  const { code, stdout } = await run(process.execPath, [`${folder}${file}`, "--yes", "--help"], { allowFailure: true });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^usage: npm run /) });
  const wrong = await run(process.execPath, [`${folder}${file}`, "--yes", "--no-such-option"], { allowFailure: true });
  expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
    code: 64,
    stderr: expect.stringContaining("--no-such-option"),
  });
});
