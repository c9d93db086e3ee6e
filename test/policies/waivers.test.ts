import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { rules } from "../../policies/rules/index.ts";
import { type Waiver, waivers } from "../../policies/waivers.ts";
import type { Recorded } from "../unit/lib/mocks.ts";
import { hostSetting, localConfig, runPlatform, runProduction } from "../unit/lib/platform.ts";
import { judgement } from "./judge.ts";

/** All that the program makes: without a registry and with one, and in production with all that can be set up and a host of its own. */
let platforms: readonly (readonly Recorded[])[];
const folder = mkdtempSync(join(tmpdir(), "autollm-host-"));
beforeAll(async () => {
  const runs = [await runPlatform(), await runPlatform({ config: { ...localConfig, imageSource: "registry" } })];
  platforms = [...runs, await runProduction({ host: hostSetting(folder) })].map(({ resources }) => resources);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function saidOfPlatforms(rule: string): Promise<readonly string[]> {
  const found = rules.find(({ name }) => name === rule);
  if (found === undefined) throw new Error(`no rule is called ${rule}`);
  return (await Promise.all(platforms.map((resources) => judgement(found, resources)))).flat();
}

/** Judges as if a waiver were not there. */
async function without(waiver: Waiver): Promise<readonly string[]> {
  const list = waivers as Waiver[];
  const at = list.indexOf(waiver);
  list.splice(at, 1);
  try {
    return await saidOfPlatforms(waiver.rule);
  } finally {
    list.splice(at, 0, waiver);
  }
}

it.each(waivers.map((waiver) => [`${waiver.rule} ${waiver.service} ${waiver.value}`, waiver] as const))(
  "%s is needed by a container that the program makes (else remove its row from policies/waivers.ts)",
  async (_, waiver) => {
    expect(await saidOfPlatforms(waiver.rule)).toEqual([]);
    expect(await without(waiver)).not.toEqual([]);
  },
);
