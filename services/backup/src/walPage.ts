import type { ServerResponse } from "node:http";
import { reason } from "./log.ts";
import { type MetricRow, metricLines, seconds } from "./metricRows.ts";
import type { WalTest } from "./walSettings.ts";

/** How the archive is. Times are milliseconds since 1970. */
export interface WalStatus {
  readonly receiving: boolean;
  readonly unstoredSeconds: number;
  readonly waitingBytes: number;
  /** Absent without a second place, or while it is not known what it has. */
  readonly unsentSeconds?: number;
  /** Absent without a second place. */
  readonly unsentBytes?: number;
  readonly base: { readonly finished: number; readonly bytes: number } | undefined;
  readonly repositoryBytes: number;
  /** The first moment that can be restored. */
  readonly oldest: number | undefined;
  readonly lost: number;
  readonly test: WalTest;
  readonly failures: Readonly<Record<string, number>>;
}

const rows: readonly MetricRow<WalStatus>[] = [
  ["wal_archive_receiving", "gauge", "1 while Postgres's log is received.", ({ receiving }) => (receiving ? 1 : 0)],
  [
    "wal_archive_unstored_seconds",
    "gauge",
    "How long the oldest commit that is not stored here has been waiting.",
    ({ unstoredSeconds }) => unstoredSeconds,
  ],
  [
    "wal_archive_waiting_bytes",
    "gauge",
    "Log that Postgres has written and that is not stored here.",
    ({ waitingBytes }) => waitingBytes,
  ],
  [
    "wal_archive_unsent_seconds",
    "gauge",
    "How long the oldest commit that the second place lacks has been waiting.",
    ({ unsentSeconds }) => unsentSeconds,
  ],
  [
    "wal_archive_unsent_bytes",
    "gauge",
    "Encrypted bytes that the second place lacks.",
    ({ unsentBytes }) => unsentBytes,
  ],
  [
    "wal_archive_last_base_timestamp_seconds",
    "gauge",
    "When the newest base backup was finished.",
    ({ base }) => seconds(base?.finished),
  ],
  ["wal_archive_last_base_bytes", "gauge", "Size of the newest base backup, compressed.", ({ base }) => base?.bytes],
  [
    "wal_archive_repository_bytes",
    "gauge",
    "Size of all that is stored here.",
    ({ repositoryBytes }) => repositoryBytes,
  ],
  [
    "wal_archive_oldest_restorable_timestamp_seconds",
    "gauge",
    "The first moment that can be restored.",
    ({ oldest }) => seconds(oldest),
  ],
  ["wal_archive_lost_total", "counter", "How often Postgres removed log before it was received.", ({ lost }) => lost],
  [
    "wal_archive_last_restore_test_timestamp_seconds",
    "gauge",
    "When Postgres was last restored to a moment as a test, and found whole.",
    ({ test }) => seconds(test.lastGood),
  ],
  [
    "wal_archive_last_restore_test_success",
    "gauge",
    "1 when the last such test ended well.",
    ({ test }) => (test.ok === undefined ? undefined : Number(test.ok)),
  ],
  [
    "wal_archive_restore_test_failures_total",
    "counter",
    "Restores to a moment, as a test, that failed.",
    ({ test }) => test.failures ?? 0,
  ],
];

const FAILURES = "wal_archive_failures_total";

/** The names of all metrics. */
export const walMetrics: readonly string[] = [...rows.map(([name]) => name), FAILURES];

/** The page that Prometheus scrapes. */
export function walPage(status: WalStatus): string {
  return [
    ...metricLines(rows, status),
    `# HELP ${FAILURES} Steps that failed.`,
    `# TYPE ${FAILURES} counter`,
    ...Object.entries(status.failures).map(([step, count]) => `${FAILURES}{step="${step}"} ${count}`),
    "",
  ].join("\n");
}

/** Answers with a page, or with why there is none. */
export function answerPage(response: ServerResponse, page: () => string): void {
  try {
    response.setHeader("content-type", "text/plain; version=0.0.4").end(page());
  } catch (error) {
    response.writeHead(500).end(`${reason(error)}\n`);
  }
}
