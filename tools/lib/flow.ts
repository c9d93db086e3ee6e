import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, type Writable } from "node:stream";
import type { Content } from "../../services/backup/src/archive.ts";
import { UserError } from "./log.ts";

export type { Content } from "../../services/backup/src/archive.ts";

/** Lines that a failure is told with. */
const LAST_LINES = 3;
/** How long a program may take to end once its input has ended too early. */
const GRACE_MS = 10_000;

/** What a failure is told with: what the program calls an error, as the lines around it may hold a row of a table. */
function lastWords(words: string): string {
  const lines = words.trim().split("\n");
  const errors = lines.filter((line) => /\berror:/i.test(line));
  return (errors.length > 0 ? errors : lines).slice(-LAST_LINES).join("; ");
}

/** Hands content to a stream, at its pace. A reader that ended early is told by its exit code. */
async function hand(content: Content, to: Writable): Promise<void> {
  for await (const chunk of content) {
    if (!to.writable) return;
    if (!to.write(chunk)) await Promise.race([once(to, "drain"), once(to, "close")]).catch(() => undefined);
  }
}

/**
 * Runs a program, hands it content, and answers what it writes meanwhile, as it comes.
 * @throws UserError with its last words when it fails, or what the content failed with
 */
export async function* feedAndRead(
  program: string,
  args: readonly string[],
  content: Content,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, [...args], { stdio: ["pipe", "pipe", "pipe"] });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    words = `${words}${chunk}`.slice(-10_000);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 128));
  });
  ended.catch(() => undefined);
  child.stdin.on("error", () => undefined);
  let fault: unknown;
  let timer: NodeJS.Timeout | undefined;
  const handed = hand(content, child.stdin).then(
    () => void child.stdin.end(),
    (error: unknown) => {
      fault = error;
      // A program in a container may not be told by a signal, and reads its input to the end.
      child.stdin.destroy();
      timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    },
  );
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await ended;
    const said = lastWords(words);
    if (code === 0) await handed;
    if (fault !== undefined) throw fault;
    if (code !== 0) throw new UserError(said === "" ? `${program} ended with exit code ${code}` : said);
  } finally {
    clearTimeout(timer);
    child.stdin.destroy();
    if (child.exitCode === null) child.kill("SIGTERM");
  }
}

/** Reads content to its end as text. */
export async function textFrom(content: Content): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Content whose first line is JSON: the line, and what follows it. */
export async function splitHead<T>(content: Content): Promise<{ readonly head: T; readonly rest: Content }> {
  const source = content[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  for (;;) {
    const end = held.indexOf("\n");
    if (end !== -1) {
      const head = JSON.parse(held.subarray(0, end).toString()) as T;
      const first = held.subarray(end + 1);
      return { head, rest: following(first, source) };
    }
    const next = await source.next();
    if (next.done === true) throw new UserError("a helper ended before it said what it found");
    held = Buffer.concat([held, next.value]);
  }
}

async function* following(first: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}

/** What a writer writes, as content: the writer goes on as it is read. */
export async function* written(write: (out: Writable) => Promise<void>): AsyncGenerator<Uint8Array> {
  const through = new PassThrough();
  let fault: unknown;
  const done = write(through).catch((error: unknown) => {
    fault = error;
    through.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    yield* through as AsyncIterable<Buffer>;
    await done;
  } catch (error) {
    throw fault ?? error;
  } finally {
    through.destroy();
  }
}
