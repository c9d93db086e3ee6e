const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** A run that failed is tried again after this. */
const RETRY_MS = HOUR_MS;
/** Weekly; an hour less, since backups do not take equally long. */
const TEST_EVERY_MS = 7 * DAY_MS - HOUR_MS;

/** The last moment that the clock showed `HH:MM`, UTC, or a multiple of some hours later. */
export function lastMoment(time: string, everyHours: number, now: Date): Date {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  const moment = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hours, minutes));
  // From the day before, so that the first one is never later than now.
  const first = moment.getTime() - DAY_MS;
  const every = everyHours * HOUR_MS;
  return new Date(first + Math.floor((now.getTime() - first) / every) * every);
}

/** Whether a backup is to be made now: at its time, after a time that was missed, and an hour after one that failed. */
export function backupDue(
  { time, everyHours }: { readonly time: string; readonly everyHours: number },
  now: Date,
  { lastSuccess, lastRun }: { readonly lastSuccess?: number; readonly lastRun?: number },
): boolean {
  const moment = lastMoment(time, everyHours, now).getTime();
  if ((lastSuccess ?? 0) >= moment) return false;
  return (lastRun ?? 0) < moment || now.getTime() - (lastRun ?? 0) >= RETRY_MS;
}

/** Whether a backup is to be restored as a test; asked after each one. */
export function restoreTestDue(now: Date, lastGoodTest: number | undefined): boolean {
  return now.getTime() - (lastGoodTest ?? 0) >= TEST_EVERY_MS;
}

/** Whether a copy to the second repository that failed is to be tried again. */
export function copyDue(now: Date, lastCopy: number, { secondOk }: { readonly secondOk?: boolean }): boolean {
  return secondOk === false && now.getTime() - lastCopy >= RETRY_MS;
}
