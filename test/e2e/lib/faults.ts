import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import type { SegmentName } from "../../../components/segments.ts";
import { between } from "../../../tools/docs/marks.ts";
import { run } from "../../../tools/lib/run.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { eventually } from "./http.ts";
import { docker, segmentOf, type TestStack } from "./stack.ts";
import { postNews, trader } from "./trading.ts";
import { startWriter } from "./writers.ts";

/** What a fault did to the trading path, while news came in at a steady rate. */
interface FaultResult {
  readonly fault: string;
  /** News that the edge accepted, and attempts that failed, each of which was made again. */
  readonly accepted: number;
  readonly failed: number;
  /** Accepted news whose order is not in the ledger. */
  readonly lost: number;
  /** Longest time without an accepted news item, seconds. */
  readonly gap: number;
  /** From the end of the fault until every container was healthy and an order went its whole way, seconds. */
  readonly recovery: number;
}

const RATE = 0.5;
const PATIENCE = 240;

/** Does a harm while news comes in, and tells what came of it. */
async function suffer(stack: TestStack, fault: string, harm: () => Promise<void>): Promise<FaultResult> {
  const headers = await trader(stack);
  const ids: string[] = [];
  const unfilled = async (wanted: readonly string[]): Promise<string[]> => {
    const psql = ["psql", "--no-psqlrc", "--host=/tmp", "--username=postgres", "--dbname=autollm", "--tuples-only"];
    const sql = "SELECT id FROM portfolio_ledger.fills";
    const found = await docker("exec", await stack.container("postgres"), ...psql, "--no-align", "--command", sql);
    const fills = new Set(found.split("\n"));
    return wanted.filter((id) => !fills.has(id));
  };
  const news = startWriter(RATE, async () => {
    ids.push(await postNews(stack, headers));
  });
  await eventually("the first news", PATIENCE, async () => (ids.length > 0 ? true : undefined)).catch(async (error) => {
    throw new Error(`${error}; instead: ${JSON.stringify((await news.stop()).failed)}`);
  });
  await harm();
  const ended = Date.now();
  await eventually("all are healthy", PATIENCE, async () => ((await ailing(stack)).length === 0 ? true : undefined));
  const before = ids.length;
  await eventually("an order goes its whole way", PATIENCE, async () => {
    const id = ids[before];
    return id !== undefined && (await unfilled([id])).length === 0 ? true : undefined;
  });
  const recovery = (Date.now() - ended) / 1000;
  const { acknowledged, failed, longestGap } = await news.stop();
  const lost = await eventually("every order is filled", PATIENCE, async () =>
    (await unfilled(ids)).length === 0 ? 0 : undefined,
  ).catch(async () => (await unfilled(ids)).length);
  return {
    fault,
    accepted: acknowledged,
    failed: Object.values(failed).reduce((sum, count) => sum + count, 0),
    lost,
    gap: longestGap / 1000,
    recovery,
  };
}

/** The workloads of a stack that run: batch jobs wait to be called. */
export async function running(stack: TestStack): Promise<string[]> {
  const format = '{{.Label "autollm.service"}}';
  return (await docker("ps", "--filter", `label=autollm.stack=${stack.name}`, "--format", format)).split("\n").sort();
}

/** The containers of a stack that should serve and do not. */
async function ailing(stack: TestStack): Promise<string[]> {
  const format = '{{.Names}} {{.Label "autollm.deploy"}} {{.Status}}';
  const lines = await docker("ps", "--all", "--filter", `label=autollm.stack=${stack.name}`, "--format", format);
  return lines
    .split("\n")
    .filter((line) => !line.includes(" on-demand ") && !line.includes("(healthy)"))
    .map((line) => line.split(" ")[0] ?? "");
}

/** Kills a container's processes themselves, since `docker kill` counts as a wish that it stay down; ends when Docker has seen it. */
export async function killed(container: string): Promise<void> {
  const pid = () => docker("inspect", "--format", "{{.State.Pid}}", container);
  const before = await pid();
  await run("kill", ["-KILL", before]);
  await eventually("Docker sees the end", 30, async () => ((await pid()) === before ? undefined : true));
}

/** Stops a container's processes from running for some seconds: it holds its connections and answers nothing. */
export async function frozen(container: string, seconds: number): Promise<void> {
  await docker("pause", container);
  await pause(seconds * 1000).finally(() => docker("unpause", container));
}

/** Takes a workload out of a segment for some seconds. */
export async function cutOff(stack: TestStack, workload: string, segment: SegmentName, seconds: number): Promise<void> {
  const container = await stack.container(workload);
  const networks = JSON.parse(
    await docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container),
  ) as Record<string, { IPAddress: string; Aliases: readonly string[] | null }>;
  const found = Object.entries(networks).find(([name]) => segmentOf(name) === segment);
  if (found === undefined) throw new Error(`${workload} is not in the segment ${segment}`);
  const [network, { IPAddress, Aliases }] = found;
  // As it was: a server may listen on this one address.
  const back = ["--ip", IPAddress, ...(Aliases ?? []).flatMap((alias) => ["--alias", alias])];
  await docker("network", "disconnect", network, container);
  await pause(seconds * 1000).finally(() => docker("network", "connect", ...back, network, container));
}

/** Breaks the platform in one way after the other, and keeps what came of it for a table of docs/faults.md. */
export class Faults {
  readonly #stack: TestStack;
  readonly #results: FaultResult[] = [];

  constructor(stack: TestStack) {
    this.#stack = stack;
  }

  /** Fails softly, so that a run tells of all faults; the next one is to meet a platform that is whole. */
  async survives(fault: string, harm: () => Promise<void>): Promise<void> {
    try {
      const result = await suffer(this.#stack, fault, harm);
      this.#results.push(result);
      expect.soft(result, "no accepted order is lost").toMatchObject({ lost: 0 });
    } catch (error) {
      expect.soft(String(error), `after ${fault}`).toBe("whole again");
      for (const name of await ailing(this.#stack)) await docker("restart", name);
    }
  }

  /** Tells the table of a test file. */
  tell(file: string): void {
    tellTable(file, faultTable(this.#results));
  }
}

/** Prints a table, and with UPDATE_DOCS set in the environment, writes it into a page of docs/ between the marks of a test file. */
export function tellTable(file: string, table: string, page = "faults.md"): void {
  process.stdout.write(`${table}\n`);
  if (process.env.UPDATE_DOCS === undefined) return;
  const [begin, end] = [`<!-- table: made by ${file} -->`, "<!-- end of the table -->"] as const;
  const path = join(root, "docs", page);
  writeFileSync(path, between(readFileSync(path, "utf8"), begin, end, table));
}

/** The results as a table of docs/faults.md. */
function faultTable(results: readonly FaultResult[]): string {
  const rows = results.map(({ fault, accepted, failed, lost, gap, recovery }) =>
    [fault, accepted, failed, lost, gap.toFixed(1), recovery.toFixed(1)].join(" | "),
  );
  return [
    "| what happens | news accepted | attempts refused | accepted and lost | longest gap, s | recovered after, s |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}
