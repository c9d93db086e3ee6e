import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureDocker } from "../bootstrap/docker/docker.ts";
import { ensureImages } from "../bootstrap/images/images.ts";
import { between } from "../docs/marks.ts";
import { unasked } from "../lib/ask.ts";
import { command, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { root } from "../lib/workspace.ts";
import { Compose } from "./growth/compose.ts";
import { type GrowthResult, measureGrowth } from "./growth/growth.ts";
import { machine, table } from "./measure.ts";
import { withCommit } from "./other.ts";
import { measurePlatform, type PlatformRow } from "./platform.ts";

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

/** The median of each row over the rounds. */
function medians(rounds: readonly (readonly PlatformRow[])[]): readonly PlatformRow[] {
  const median = (values: readonly number[]) =>
    values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
  return (rounds[0] ?? []).map(({ what }, index) => {
    const rows = rounds.flatMap((round) => round[index] ?? []);
    return {
      what,
      seconds: median(rows.map((row) => row.seconds)),
      peakMiB: median(rows.map((row) => row.peakMiB)),
    };
  });
}

/** The platform of this tree, beside that of another commit where one is named: taken in turns, so that both meet the same machine. */
async function platformTable(rounds: number, commit: string | undefined): Promise<string> {
  const here: (readonly PlatformRow[])[] = [];
  const there: (readonly PlatformRow[])[] = [];
  const measureAll = async (other?: string) => {
    for (let round = 0; round < rounds; round++) {
      if (other !== undefined) there.push(await measurePlatform(other, PORTS));
      here.push(await measurePlatform(root, PORTS));
    }
  };
  await (commit === undefined ? measureAll() : withCommit(commit, measureAll));
  const before = medians(there);
  const rows = medians(here).map(({ what, seconds, peakMiB }, index) => {
    const other = before[index];
    const memory = Math.round(peakMiB).toString();
    if (other === undefined) return [what, seconds, memory];
    const ratios = [seconds / other.seconds, peakMiB / other.peakMiB].map((each) => each.toFixed(2));
    return [
      what,
      other.seconds,
      seconds,
      ratios[0] ?? "",
      Math.round(other.peakMiB).toString(),
      memory,
      ratios[1] ?? "",
    ];
  });
  if (commit === undefined) return table(["what", "seconds", "MiB at most"], rows);
  return table(["what", `seconds at ${commit}`, "now", "ratio", `MiB at ${commit}`, "now", "ratio"], rows);
}

export const benchCommand = command(
  {
    about: `Measures on this machine's Docker: the whole platform (first up, no change, preview, one service; time and memory), then as many idle
workloads as the sizes say, by this stack's own component and by docker compose, where that is installed. Give it a quiet machine.`,
    options: {
      install: {
        type: "boolean",
        says: "allow to install what is missing (Docker, on Debian; always so when CI is set)",
      },
      sizes: {
        type: "string",
        default: "11,44,110",
        value: "NUMBERS",
        says: 'numbers of workloads; default 11,44,110; "none" for the platform alone',
      },
      compare: {
        type: "string",
        value: "COMMIT",
        says: "measure the platform of another commit as well, in turns, and print the ratios",
      },
      rounds: {
        type: "string",
        default: "1",
        value: "N",
        says: "measure the platform N times; the median counts; default 1",
      },
      write: { type: "boolean", says: "put the figures into docs/performance.md" },
    },
    changes: "nothing",
  },
  async ({ install, sizes, compare, rounds, write }) => {
    const counts = sizes === "none" ? [] : sizes.split(",").map(Number);
    if (counts.some((count) => !Number.isInteger(count) || count < 2))
      throw new UserError(`--sizes ${sizes}: must be whole numbers of 2 or more, such as 11,44, or none`, USAGE);
    if (!/^[1-9]\d?$/.test(rounds)) throw new UserError(`--rounds ${rounds}: must be a whole number of 1 to 99`, USAGE);
    await ensureDocker({ install: unasked(install) });
    const platform = await platformTable(Number(rounds), compare);
    const { redis } = await ensureImages(["redis"]);
    if (redis === undefined) throw new UserError("the image of Redis, which stands for a workload, is unavailable");
    const growth: GrowthResult[] = [];
    if ((await Compose.find()) === undefined)
      say("docker compose is not installed, so its columns stay empty; on Debian: apt-get install docker-compose");
    for (const count of counts) growth.push(await measureGrowth(count, redis));
    const figures = [
      `Taken on ${machine()}. All times in seconds.`,
      platform,
      ...(growth.length > 0 ? [growthTable(growth)] : []),
    ].join("\n\n");
    process.stdout.write(`${figures}\n`);
    if (write === true) {
      writeFileSync(PAGE, between(readFileSync(PAGE, "utf8"), BEGIN, END, `\n${figures}\n`));
    }
    return 0;
  },
);
