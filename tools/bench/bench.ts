import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureDocker } from "../docker/docker.ts";
import { ensureImages } from "../images/images.ts";
import { unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { root } from "../lib/workspace.ts";
import { Compose } from "./growth/compose.ts";
import { type GrowthResult, measureGrowth } from "./growth/growth.ts";
import { machine, table } from "./measure.ts";
import { measurePlatform } from "./platform.ts";

const HELP = `usage: npm run bench -- [--install] [--sizes 11,44,110] [--write]

Measures on this machine's Docker: the whole platform (first up, no change, preview, one service), then as many idle workloads as
the sizes say, by this stack's own component and by docker compose, where that is installed. Give it a quiet machine.

  --install   allow to install what is missing (Docker, on Debian; always so when CI is set)
  --sizes     numbers of workloads; default 11,44,110
  --write     put the figures into docs/performance.md`;

/** Ports of the stack that is measured, beside those of a stack that runs. */
const PORTS = [18_080, 18_443] as const;
const PAGE = join(root, "docs/performance.md");
const [BEGIN, END] = ["<!-- figures: made by npm run bench -->", "<!-- end of the figures -->"] as const;

const ratio = (one: number, other: number | undefined) => (other === undefined ? "-" : `${(one / other).toFixed(1)} x`);

function growthTable(results: readonly GrowthResult[]): string {
  return table(
    ["workloads", "first `up`", "compose", "ratio", "no change", "compose", "ratio", "preview", "one more"],
    results.map(({ services, first, unchanged, preview, one, compose }) => [
      String(services),
      first,
      compose?.first ?? "-",
      ratio(first, compose?.first),
      unchanged,
      compose?.unchanged ?? "-",
      ratio(unchanged, compose?.unchanged),
      preview,
      one,
    ]),
  );
}

await command(
  {
    help: HELP,
    options: {
      install: { type: "boolean" },
      sizes: { type: "string", default: "11,44,110" },
      write: { type: "boolean" },
    },
    changes: "nothing",
  },
  async ({ install, sizes, write }) => {
    const counts = sizes.split(",").map(Number);
    if (counts.some((count) => !Number.isInteger(count) || count < 2))
      throw new UserError(`--sizes ${sizes}: must be whole numbers of 2 or more, such as 11,44`, USAGE);
    await ensureDocker({ install: unasked(install) });
    const platform = await measurePlatform(PORTS);
    const { redis } = await ensureImages(["redis"]);
    if (redis === undefined) throw new UserError("the image of Redis, which stands for a workload, could not be had");
    const growth: GrowthResult[] = [];
    if ((await Compose.find()) === undefined)
      say("docker compose is not installed, so its columns stay empty; on Debian: apt-get install docker-compose");
    for (const count of counts) growth.push(await measureGrowth(count, redis));
    const figures = [
      `Taken on ${machine()}. All times in seconds.`,
      table(["what", "seconds"], platform),
      growthTable(growth),
    ].join("\n\n");
    process.stdout.write(`${figures}\n`);
    if (write === true) {
      const page = readFileSync(PAGE, "utf8");
      const head = page.slice(0, page.indexOf(BEGIN));
      const rest = page.slice(page.indexOf(END));
      writeFileSync(PAGE, `${head}${BEGIN}\n\n${figures}\n\n${rest}`);
    }
    return 0;
  },
);
