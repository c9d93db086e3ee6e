import { BackupError } from "./restic.ts";
import { type Fault, PLAN } from "./scratch.ts";
import { restoredElsewhere } from "./scratchClient.ts";
import { BASE_FILE, logFile, type RecoveryAnswer, type RecoveryPlan } from "./scratchRecovery.ts";
import { logInto } from "./walCommands.ts";
import { isReached, planFor, type Range, ranges } from "./walPlan.ts";
import { noteWalTest, readOpen, readWalTest, type WalSettings } from "./walSettings.ts";
import { openBase, stored } from "./walStore.ts";

export interface WalTestResult {
  /** The moment to which Postgres was recovered, in ISO's form. */
  readonly moment: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
}

/** So long before the last moment that can be restored: what comes after it must not be there. */
const BEFORE_MS = 60_000;

/** A moment of the newest range, between two commits if there were any. */
export const testMoment = ({ from, to }: Range): number => Math.max(from, to - BEFORE_MS);

async function test({ database }: WalSettings): Promise<WalTestResult | undefined> {
  const start = Date.now();
  const all = stored();
  const open = readOpen();
  const range = ranges(all, open).at(-1);
  const moment = range === undefined ? Number.NaN : testMoment(range);
  const plan = range === undefined ? undefined : planFor(moment, all, open);
  if (plan === undefined) return undefined;
  return restoredElsewhere<RecoveryAnswer | Fault, WalTestResult>(
    async (archive) => {
      const { target } = plan;
      const asked: RecoveryPlan = { recover: { database, ...(target === undefined ? {} : { target }) } };
      await archive.text(PLAN, JSON.stringify(asked));
      await archive.stream(BASE_FILE, openBase(plan.cluster, plan.base));
      await logInto(archive, plan, logFile);
    },
    (answer) => {
      if ("fault" in answer) throw new BackupError(answer.fault);
      const { ended, place, tables, rows } = answer;
      if (!isReached(plan, ended, place))
        throw new BackupError(`recovery ended at ${place}, before the end of ${plan.last}`);
      const seconds = Math.round((Date.now() - start) / 100) / 10;
      return { moment: new Date(moment).toISOString(), tables, rows, seconds };
    },
  );
}

/**
 * Restores Postgres to a moment as a test, and notes how it went.
 * @returns undefined where no moment can be restored yet, as before the first base backup
 */
export async function makeWalTest(settings: WalSettings): Promise<WalTestResult | undefined> {
  try {
    const result = await test(settings);
    if (result === undefined) return undefined;
    noteWalTest({ lastGood: Date.now(), ok: true });
    return result;
  } catch (error) {
    noteWalTest({ ok: false, failures: (readWalTest().failures ?? 0) + 1 });
    throw error;
  }
}
