import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ArchiveWriter } from "./archive.ts";
import { dumpPath, type Manifest, SCHEMAS, savedTables } from "./manifest.ts";
import { proveSnapshot, textOf } from "./open.ts";
import { BackupError, checkRepository, findSnapshot } from "./restic.ts";
import { type Answer, PLAN, type Plan } from "./scratch.ts";
import type { OwnedSchema } from "./scratchSql.ts";
import { type Settings, TEST_SOCKET } from "./settings.ts";
import { note, readStatus } from "./status.ts";
import { tableDifferences } from "./tables.ts";

export interface RestoreTestResult {
  readonly snapshot: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
}

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

async function answerOf(socket: Socket): Promise<Answer> {
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

/** Differences between what was saved and what another container found when it had restored it. */
function differences(manifest: Manifest, answer: Answer): string[] {
  if ("fault" in answer) return [answer.fault];
  return manifest.postgres.schemas.flatMap(({ schema, tables }) => {
    const found = answer.schemas[schema];
    if (found === undefined) return [`schema ${schema} was not restored`];
    return "fault" in found ? [`schema ${schema}: ${found.fault}`] : tableDifferences(tables, found);
  });
}

async function test(settings: Settings): Promise<RestoreTestResult> {
  const start = Date.now();
  await checkRepository();
  const snapshot = await findSnapshot("latest");
  if (!snapshot.archive)
    throw new BackupError("the newest backup is of an earlier version, which is not tested: ./autollm backup");
  const socket = await connected();
  socket.on("error", () => undefined);
  try {
    const archive = new ArchiveWriter(socket);
    let schemas: readonly OwnedSchema[] = [];
    const manifest = await proveSnapshot(snapshot, settings, async (path, content) => {
      if (path === SCHEMAS) {
        schemas = JSON.parse(await textOf(content)) as OwnedSchema[];
        const plan: Plan = { database: settings.database, schemas, reads: settings.reads };
        await archive.text(PLAN, JSON.stringify(plan));
      } else if (schemas.some(({ schema }) => path === dumpPath(schema))) await archive.stream(path, content);
    });
    await archive.end();
    const found = differences(manifest, await answerOf(socket));
    if (found.length > 0) throw new BackupError(`the restored database differs: ${found.join("; ")}`);
    const tables = savedTables(manifest);
    return {
      snapshot: manifest.finishedAt,
      tables: tables.length,
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      seconds: Math.round((Date.now() - start) / 100) / 10,
    };
  } finally {
    socket.destroy();
  }
}

/** Restores the newest backup as a test, and notes how it went. */
export async function makeRestoreTest(settings: Settings): Promise<RestoreTestResult> {
  try {
    const result = await test(settings);
    note({ lastGoodTest: Date.now(), lastTestOk: true });
    return result;
  } catch (error) {
    note({ lastTestOk: false, testFailures: (readStatus().testFailures ?? 0) + 1 });
    throw error;
  }
}
