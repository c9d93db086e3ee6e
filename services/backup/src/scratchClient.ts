import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ArchiveWriter } from "./archive.ts";
import { BackupError } from "./restic.ts";
import { TEST_SOCKET } from "./settings.ts";

/** How long an answer is waited for; the other side gives up a little earlier. */
const ANSWER_MS = 2 * 60 * 60 * 1000 + 60_000;
/** The sums of many tables; the container that answers is not trusted with more memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

async function connected(): Promise<Socket> {
  const socket = connect(TEST_SOCKET);
  try {
    await once(socket, "connect");
  } catch (error) {
    throw new BackupError(`the container restore-test does not answer: ${(error as Error).message}`);
  }
  return socket;
}

async function answerOf<Answer>(socket: Socket): Promise<Answer> {
  let text = "";
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error("no answer in time")));
  try {
    for await (const chunk of socket.setEncoding("utf8")) {
      text += chunk as string;
      if (text.length > MAX_ANSWER_BYTES) throw new Error("the answer is too long");
    }
    return JSON.parse(text) as Answer;
  } catch (error) {
    throw new BackupError(
      `the container restore-test gave no answer (${(error as Error).message}): is its memory enough for the database? docs/backup.md, The restore test`,
    );
  }
}

/**
 * Has the container restore-test restore something.
 * @param send writes what it is asked, as the first file, and what it restores
 * @param judge is given its answer, and says what comes of it
 */
export async function restoredElsewhere<Answer, Result>(
  send: (archive: ArchiveWriter) => Promise<void>,
  judge: (answer: Answer) => Result,
): Promise<Result> {
  const socket = await connected();
  socket.on("error", () => undefined);
  try {
    const archive = new ArchiveWriter(socket);
    await send(archive);
    await archive.end();
    return judge(await answerOf<Answer>(socket));
  } finally {
    socket.destroy();
  }
}
