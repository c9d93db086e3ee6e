import { chmod, stat } from "node:fs/promises";
import { backup, DatabaseSync } from "node:sqlite";

/** How long a writer may hold the database. */
const BUSY_MS = 10_000;

/** @throws when a page of the database is damaged */
export function checkSqlite(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const row = database.prepare("PRAGMA integrity_check").get();
    if (row?.integrity_check !== "ok") throw new Error(`${file} is damaged: ${String(row?.integrity_check)}`);
  } finally {
    database.close();
  }
}

/** Copies a database of one moment while its owner goes on writing, and checks the copy. */
export async function saveSqlite(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: BUSY_MS });
  try {
    // All pages in one step: no writer comes in between.
    await backup(source, to, { rate: 1_000_000 });
  } finally {
    source.close();
  }
  await chmod(to, (await stat(from)).mode & 0o777);
  checkSqlite(to);
}
