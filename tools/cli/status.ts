import { setTimeout as sleep } from "node:timers/promises";
import { command, DIFFERS, JSON_OUT, STACK } from "../lib/command.ts";
import { type Status, statusOf } from "../lib/status.ts";
import { factsOf } from "../lib/statusFacts.ts";
import { statusText } from "../lib/statusText.ts";

const PAUSE_MS = 2000;

const CODES: Readonly<Record<Status["verdict"], number>> = { fine: 0, unknown: 1, wrong: DIFFERS };

/** Prints a status; in place of the one before, where somebody watches a terminal. */
function show(status: Status, json: boolean, again: boolean): void {
  const { isTTY, columns, rows } = process.stdout;
  if (json) {
    process.stdout.write(`${again ? JSON.stringify(status) : JSON.stringify(status, null, 2)}\n`);
    return;
  }
  const colour = isTTY === true && process.env.NO_COLOR === undefined;
  const text = statusText(status, { width: columns ?? 80, colour });
  if (!again || isTTY !== true) process.stdout.write(`${text}\n${again ? "\n" : ""}`);
  // What does not fit is what is well.
  else
    process.stdout.write(
      `\u001b[H\u001b[2J${text
        .split("\n")
        .slice(0, rows - 1)
        .join("\n")}\n`,
    );
}

export const statusCommand = command(
  {
    about: `Shows the status of a stack, and changes nothing: what is wrong first, then what is due, then every workload. It asks the
Docker host in one session, and reads the stack's state; a source that does not answer within two seconds is named, and the rest is
shown. It needs no engine for a stack of this machine. It ends with 1 if it saw nothing wrong but could not see everything.`,
    options: {
      stack: STACK,
      json: { ...JSON_OUT, says: "print it as JSON (docs/operations.md); with --watch one line each time" },
      watch: { type: "boolean", says: "look again every two seconds, until Ctrl-C" },
    },
    differs: "something is wrong or overdue",
    changes: "nothing",
  },
  async ({ stack, json = false, watch = false }) => {
    const look = async () => {
      const status = statusOf(await factsOf(stack));
      show(status, json, watch);
      return CODES[status.verdict];
    };
    if (!watch) return look();
    const ended = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ended.abort());
    let code = 0;
    while (!ended.signal.aborted) {
      code = await look();
      await sleep(PAUSE_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    return code;
  },
);
