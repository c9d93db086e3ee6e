import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const cli = fileURLToPath(new URL("../../../tools/cli", import.meta.url));

/** Run the program's own components without an engine, so they load what those load; nobody waits for one of these each day. */
const LOADS_THE_SDK = ["check-image.ts", "dashboards.ts", "drift.ts"];

/** The packages that a module loads when it starts, each with the way there. */
function loads(path: string, seen: Map<string, string>, way = ""): void {
  for (const [, specifier = ""] of readFileSync(path, "utf8").matchAll(
    /^(?:import|export) (?!type\b)(?:[^"';]* from )?"([^"]+)";/gm,
  )) {
    const next = resolve(dirname(path), specifier);
    const key = specifier.startsWith(".") ? next : specifier;
    if (seen.has(key)) continue;
    seen.set(key, `${way} > ${specifier}`);
    if (specifier.startsWith(".") && next.endsWith(".ts") && existsSync(next))
      loads(next, seen, `${way} > ${specifier}`);
  }
}

// Half a second of processor time at each start of a command.
test.each(["../main.ts", ...readdirSync(cli).filter((file) => !LOADS_THE_SDK.includes(file))])(
  "%s starts without the engine's SDK",
  (file) => {
    const seen = new Map<string, string>();
    loads(`${cli}/${file}`, seen);
    expect(seen.size).toBeGreaterThan(1);
    expect([...seen].filter(([key]) => key.startsWith("@pulumi/")).map(([, way]) => way)).toEqual([]);
  },
);
