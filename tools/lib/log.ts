import { causeOf } from "./causes.ts";

/** Progress goes to stderr, so that a command's answer on stdout can be piped. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A fault that the user can fix: printed as one line without a stack trace. */
export class UserError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** How often a long step says that it is still at work. */
const HEARTBEAT_MS = 15_000;

/** Runs a step that may be long: says when it starts, what it waits for, that it is alive, and how long it took. */
export async function step<T>(what: string, expectation: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
  say(`... ${what} (${expectation})`);
  const heartbeat = setInterval(() => say(`    still ${what}: ${seconds()}`), HEARTBEAT_MS);
  try {
    const result = await work();
    say(`ok  ${what}: ${seconds()}`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}

/** Runs a command's main function: a UserError prints its message alone, anything else its stack. */
export async function main(run: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await run()) ?? 0;
  } catch (error) {
    // By its name: the schema of the config is large, and few commands load it.
    if (error instanceof UserError || (error instanceof Error && error.name === "ConfigError")) {
      say(`error: ${error.message}`);
      process.exitCode = error instanceof UserError ? error.exitCode : 1;
    } else {
      const cause = error instanceof Error ? causeOf(error.message) : undefined;
      if (cause !== undefined) say(`error: ${cause}`);
      else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exitCode = 1;
    }
  }
}
