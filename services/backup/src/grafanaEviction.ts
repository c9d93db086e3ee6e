import { DatabaseSync } from "node:sqlite";

/** How long Grafana may hold its database. */
const BUSY_MS = 20_000;

/**
 * What somebody who had the administrator's password may have left behind to come back by, a statement for each table. Not every
 * version of Grafana has every table.
 */
const statements: Readonly<Record<string, string>> = {
  user_auth_token: "DELETE FROM user_auth_token",
  // API keys, and the tokens of service accounts.
  api_key: "DELETE FROM api_key",
  // Invitations that were not answered yet.
  temp_user: "DELETE FROM temp_user",
  // A login by somebody else's identity provider.
  sso_setting: "DELETE FROM sso_setting",
  // The program makes one user, whose id is 1: any other may be the thief's own, or have a password of his.
  user: 'UPDATE "user" SET is_disabled = 1 WHERE id <> 1 AND is_disabled = 0',
};

/** How many rows of each table were removed or, of `user`, disabled. */
export type Evicted = Readonly<Record<string, number>>;

/**
 * Ends every session of Grafana, removes every token, and disables every user but the administrator, in one transaction; the
 * server may run meanwhile, and looks each of them up at every request.
 * @throws when the database is not Grafana's, or is held for too long
 */
export function evictFromGrafana(file: string): Evicted {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    const tables = new Set(
      database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .all()
        .map(({ name }) => String(name)),
    );
    for (const table of ["user", "user_auth_token"])
      if (!tables.has(table)) throw new Error(`${file} has no table ${table}: is it Grafana's?`);
    const evicted: Record<string, number> = {};
    database.exec("BEGIN IMMEDIATE");
    for (const [table, statement] of Object.entries(statements))
      if (tables.has(table)) evicted[table] = Number(database.prepare(statement).run().changes);
    database.exec("COMMIT");
    return evicted;
  } finally {
    database.close();
  }
}
