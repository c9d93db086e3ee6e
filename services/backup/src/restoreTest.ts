import { dumpPath, type Manifest, SCHEMAS, savedTables } from "./manifest.ts";
import { proveSnapshot, textOf } from "./open.ts";
import { BackupError, checkRepository, findSnapshot } from "./restic.ts";
import { type Answer, PLAN, type Plan } from "./scratch.ts";
import { restoredElsewhere } from "./scratchClient.ts";
import type { OwnedSchema } from "./scratchSql.ts";
import type { Settings } from "./settings.ts";
import { note, readStatus } from "./status.ts";
import { tableDifferences } from "./tables.ts";

export interface RestoreTestResult {
  readonly snapshot: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
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
  let schemas: readonly OwnedSchema[] = [];
  let manifest: Manifest | undefined;
  return restoredElsewhere<Answer, RestoreTestResult>(
    async (archive) => {
      manifest = await proveSnapshot(snapshot, settings, async (path, content) => {
        if (path === SCHEMAS) {
          schemas = JSON.parse(await textOf(content)) as OwnedSchema[];
          const plan: Plan = { database: settings.database, schemas, reads: settings.reads };
          await archive.text(PLAN, JSON.stringify(plan));
        } else if (schemas.some(({ schema }) => path === dumpPath(schema))) await archive.stream(path, content);
      });
    },
    (answer) => {
      if (manifest === undefined) throw new BackupError("the backup has no manifest");
      const found = differences(manifest, answer);
      if (found.length > 0) throw new BackupError(`the restored database differs: ${found.join("; ")}`);
      const tables = savedTables(manifest);
      return {
        snapshot: manifest.finishedAt,
        tables: tables.length,
        rows: tables.reduce((sum, table) => sum + table.rows, 0),
        seconds: Math.round((Date.now() - start) / 100) / 10,
      };
    },
  );
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
