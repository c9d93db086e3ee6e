import type { Daemon } from "./daemon.ts";
import { say } from "./log.ts";

/** How often it is told, and how long a start may take silently. */
const EVERY_MS = 60_000;
/** Restarts after which a container is told to end again and again. */
const LOOP = 3;

/** A container that an update may be waiting for. */
export interface Starting {
  readonly name: string;
  /** As Docker tells it: `Up 2 minutes (health: starting)`, `Restarting (1) 5 seconds ago`. */
  readonly status: string;
  readonly restarts: number;
  /** The last line of its log. */
  readonly says: string;
}

/** What is told of a container: a start that takes its time, or one that ends again and again. */
export function startLine({ name, status, restarts, says }: Starting): string {
  const words = says === "" ? "" : `: ${says}`;
  return restarts >= LOOP
    ? `    ${name} has ended ${restarts} times at its start, and will not get better by waiting (^C ends this)${words}`
    : `    ${name} is still starting, ${status}${words}`;
}

/** The stack's containers that are starting, or unhealthy, or wait for their next start. */
async function starting(daemon: Daemon): Promise<Starting[]> {
  const format = "{{.Names}}\t{{.Status}}";
  const filter = `label=autollm.stack=${daemon.stack}`;
  const lines = (await daemon.ask("ps", "--all", "--filter", filter, "--format", format)).split("\n");
  const waiting = lines
    .map((line) => line.split("\t"))
    .filter(([, status = ""]) => /health: starting|unhealthy|^Restarting/.test(status));
  return Promise.all(
    waiting.map(async ([name = "", status = ""]) => {
      const restarts = Number(await daemon.ask("inspect", "--format", "{{.RestartCount}}", name));
      const { stdout, stderr } = await daemon.run(["logs", "--tail", "1", name], { allowFailure: true });
      return { name, status, restarts, says: `${stdout}${stderr}`.trim().split("\n").at(-1) ?? "" };
    }),
  );
}

/**
 * Once a minute while an update lasts, tells which containers it may be waiting for, and what each said last: a recovery after a
 * crash may take half an hour, and only its log tells it from a program that ends at each start.
 */
export async function tellStarts<T>(of: () => Promise<Daemon>, work: () => Promise<T>): Promise<T> {
  const tell = async () => {
    for (const each of await starting(await of())) say(startLine(each));
  };
  // Who cannot be asked now is asked again; the update itself tells what is wrong with config or daemon.
  const timer = setInterval(() => void tell().catch(() => undefined), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
