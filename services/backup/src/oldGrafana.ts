import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

/** What an old installation's Grafana brings, and what of it stays behind. */
export interface OldGrafana {
  readonly facts: GrafanaFacts;
  /** Rows that were left out, by what they are. */
  readonly left: Readonly<Record<string, number>>;
}

/** What of Grafana is the operators' own, and a checksum of it. */
export interface GrafanaFacts {
  readonly dashboards: number;
  readonly users: number;
  readonly checksum: string;
}

/** What opens Grafana without its administrator: nothing of the old installation's may open the stack's. */
const keysIn: Readonly<Record<string, string>> = {
  user_auth_token: "sessions",
  api_key: "tokens of programs",
  temp_user: "open invitations",
  sso_setting: "logins by another identity provider",
};

const PROVISIONED = "(SELECT dashboard_id FROM dashboard_provisioning)";

/** A Grafana's tables, each of which may be missing in another version. */
class Tables {
  readonly #database: DatabaseSync;
  readonly #names: ReadonlySet<string>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    this.#names = new Set(rows.map(({ name }) => String(name)));
  }

  has(table: string): boolean {
    return this.#names.has(table);
  }

  rows(table: string, sql: string) {
    return this.has(table) ? this.#database.prepare(sql).all() : [];
  }

  run(table: string, sql: string, ...values: string[]): number {
    return this.has(table) ? Number(this.#database.prepare(sql).run(...values).changes) : 0;
  }
}

const migrations = (tables: Tables) =>
  tables.rows("migration_log", "SELECT migration_id FROM migration_log").map(({ migration_id: id }) => String(id));

/** The operators' own dashboards, and the users, who keep their passwords. */
export function grafanaFacts(file: string): GrafanaFacts {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = new Tables(database);
    const isOwn = tables.has("dashboard_provisioning") ? `id NOT IN ${PROVISIONED}` : "1";
    const dashboards = tables.rows(
      "dashboard",
      `SELECT uid, title, data, is_folder FROM dashboard WHERE ${isOwn} ORDER BY org_id, uid`,
    );
    // The administrator, user 1, gets the stack's password.
    const users = tables.rows(
      "user",
      'SELECT login, email, name, password, is_admin FROM "user" WHERE id <> 1 ORDER BY id',
    );
    const text = JSON.stringify([dashboards, users], (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString() : value,
    );
    const checksum = createHash("sha256").update(text).digest("hex").slice(0, 16);
    return {
      dashboards: dashboards.filter((each) => Number(each.is_folder) === 0).length,
      users: users.length,
      checksum,
    };
  } finally {
    database.close();
  }
}

/** The stack's data source of a type, where it has one of it alone. */
function dataSourcesByType(present: Tables): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const rows = present.rows(
    "data_source",
    "SELECT type, min(uid) AS uid FROM data_source WHERE read_only = 1 GROUP BY type HAVING count(*) = 1",
  );
  for (const { type, uid } of rows) found.set(String(type), String(uid));
  return found;
}

/**
 * Prepares an old installation's database, in place, to take the place of the stack's: what its files provisioned, and what opens
 * it without the administrator, is left out. Panels that read a provisioned data source read the stack's of the same type.
 * @param present the stack's own database
 * @throws when it is no Grafana's, or of a newer version than the stack's
 */
export function prepareOldGrafana(file: string, present: string): OldGrafana {
  const [database, stack] = [new DatabaseSync(file), new DatabaseSync(present, { readOnly: true, timeout: 20_000 })];
  try {
    const [tables, now] = [new Tables(database), new Tables(stack)];
    if (!tables.has("user") || !tables.has("dashboard"))
      throw new Error("the file grafana.db is no database of Grafana's");
    const known = new Set(migrations(now));
    if (migrations(tables).some((id) => !known.has(id)))
      throw new Error("the old Grafana is newer than the stack's, which cannot read its database");
    const left: Record<string, number> = {};
    const leave = (what: string, count: number) => {
      if (count > 0) left[what] = (left[what] ?? 0) + count;
    };
    database.exec("BEGIN IMMEDIATE");
    for (const [table, what] of Object.entries(keysIn)) leave(what, tables.run(table, `DELETE FROM ${table}`));
    if (tables.has("dashboard_provisioning")) {
      for (const table of ["dashboard_tag", "dashboard_version", "dashboard_acl"])
        tables.run(table, `DELETE FROM ${table} WHERE dashboard_id IN ${PROVISIONED}`);
      leave("provisioned dashboards", tables.run("dashboard", `DELETE FROM dashboard WHERE id IN ${PROVISIONED}`));
      tables.run("dashboard_provisioning", "DELETE FROM dashboard_provisioning");
    }
    const byType = dataSourcesByType(now);
    for (const { uid, type } of tables.rows("data_source", "SELECT uid, type FROM data_source WHERE read_only = 1")) {
      const here = byType.get(String(type));
      if (here !== undefined)
        tables.run(
          "dashboard",
          "UPDATE dashboard SET data = replace(data, ?, ?)",
          JSON.stringify(String(uid)),
          JSON.stringify(here),
        );
    }
    leave("provisioned data sources", tables.run("data_source", "DELETE FROM data_source WHERE read_only = 1"));
    // What the old Grafana encrypted is lost: it had another secret key, and Grafana refuses to encrypt beside a key that it cannot read.
    leave(
      "keys by which passwords of data sources and contact points are read",
      tables.run("data_keys", "DELETE FROM data_keys"),
    );
    tables.run("signing_key", "DELETE FROM signing_key");
    // The next update would otherwise take what is encrypted from now on for something that the old Grafana did.
    database.exec(
      "DROP TABLE IF EXISTS autollm_note; CREATE TABLE autollm_note (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    );
    for (const { name, value } of now.rows("autollm_note", "SELECT name, value FROM autollm_note"))
      database.prepare("INSERT INTO autollm_note (name, value) VALUES (?, ?)").run(String(name), String(value));
    database.exec("COMMIT");
    return { facts: grafanaFacts(file), left };
  } finally {
    database.close();
    stack.close();
  }
}
