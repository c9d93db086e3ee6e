import { createCipheriv, createDecipheriv, pbkdf2Sync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** How long Grafana may hold its database. */
const BUSY_MS = 20_000;

/**
 * What somebody who had the administrator's password may have left behind to come back by, a statement for each table. Not every
 * version of Grafana has every table.
 */
const evictions: Readonly<Record<string, string>> = {
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

/** The key that every Grafana has whose settings name none (its conf/defaults.ini). */
const PUBLISHED_KEY = "SW2YcwTIb9zpOOhoPsMm";
/** Before what it encrypted Grafana writes how, in base64 between two stars. */
const ALGORITHM = Buffer.from(`*${Buffer.from("aes-cfb").toString("base64").replace(/=+$/, "")}*`);
const SALT_BYTES = 8;
const IV_BYTES = 16;

const keyOf = (secret: string, salt: Buffer) => pbkdf2Sync(secret, salt, 10_000, 32, "sha256");

/** Opens what Grafana encrypted with its secret key. */
export function decrypt(sealed: Buffer, secret: string): Buffer {
  if (!sealed.subarray(0, ALGORITHM.length).equals(ALGORITHM))
    throw new Error("Grafana encrypted a key in a way that is not known here");
  const rest = sealed.subarray(ALGORITHM.length);
  const [salt, iv] = [rest.subarray(0, SALT_BYTES), rest.subarray(SALT_BYTES, SALT_BYTES + IV_BYTES)];
  const opened = createDecipheriv("aes-256-cfb", keyOf(secret, salt), iv);
  return Buffer.concat([opened.update(rest.subarray(SALT_BYTES + IV_BYTES)), opened.final()]);
}

/** Encrypts as Grafana does. */
export function encrypt(plain: Buffer, secret: string): Buffer {
  const salt = Buffer.from(randomBytes(SALT_BYTES / 2).toString("hex"));
  const iv = randomBytes(IV_BYTES);
  const sealed = createCipheriv("aes-256-cfb", keyOf(secret, salt), iv);
  return Buffer.concat([ALGORITHM, salt, iv, sealed.update(plain), sealed.final()]);
}

/** Grafana's database, in one transaction, with notes of ours in a table of their own. */
class GrafanaDatabase {
  readonly #database: DatabaseSync;
  readonly #tables: ReadonlySet<string>;

  /** @throws when the file is no database of Grafana's */
  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: BUSY_MS });
    const rows = this.#database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    this.#tables = new Set(rows.map(({ name }) => String(name)));
    for (const table of ["user", "user_auth_token"])
      if (!this.#tables.has(table)) throw new Error(`${file} has no table ${table}: is it Grafana's?`);
  }

  change<T>(work: () => T): T {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      this.#database.exec("CREATE TABLE IF NOT EXISTS autollm_note (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } finally {
      this.#database.close();
    }
  }

  note(name: string): string | undefined {
    const row = this.#database.prepare("SELECT value FROM autollm_note WHERE name = ?").get(name);
    return row === undefined ? undefined : String(row.value);
  }

  setNote(name: string, value: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO autollm_note (name, value) VALUES (?, ?)").run(name, value);
  }

  has(table: string): boolean {
    return this.#tables.has(table);
  }

  rows(sql: string) {
    return this.#database.prepare(sql).all();
  }

  run(sql: string, ...values: (string | Buffer)[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes);
  }
}

/** What a credential is known by, that gives nothing of it away. */
export interface Marks {
  /** Of the administrator's password. */
  readonly password: string;
  /** Of the secret key. */
  readonly secretKey: string;
}

/** How many rows of each table were removed or, of `user`, disabled; empty where the password is the one of the last time. */
export type Evicted = Readonly<Record<string, number>>;

/**
 * Where the administrator's password is another than at the last time: ends every session of Grafana, removes every token, and
 * disables every user but the administrator. The server runs meanwhile, and looks each of them up at every request.
 * @throws when the database is not Grafana's, or is held for too long
 */
export function evictFromGrafana(file: string, marks: Marks): Evicted {
  const database = new GrafanaDatabase(file);
  return database.change(() => {
    // A database that was made under the present key needs no change of it.
    if (database.note("secret-key") === undefined) database.setNote("secret-key", marks.secretKey);
    const before = database.note("password");
    database.setNote("password", marks.password);
    if (before === undefined || before === marks.password) return {};
    return Object.fromEntries(
      Object.entries(evictions).flatMap(([table, sql]) => (database.has(table) ? [[table, database.run(sql)]] : [])),
    );
  });
}

/**
 * Before Grafana starts with another secret key: what the published default key encrypted is encrypted with the present one. Of any
 * other former key nothing is known, so what it encrypted is forgotten: Grafana would otherwise refuse to encrypt anything new.
 * @param mark what the secret key is known by
 */
export function changeGrafanaKey(
  file: string,
  secret: string,
  mark: string,
): "none" | "kept" | "changed" | "forgotten" {
  if (!existsSync(file)) return "none";
  const database = new GrafanaDatabase(file);
  return database.change(() => {
    const before = database.note("secret-key");
    database.setNote("secret-key", mark);
    if (before === mark) return "kept";
    const sealed = ["data_keys", "signing_key"].filter((table) => database.has(table));
    if (before !== undefined) {
      for (const table of sealed) database.run(`DELETE FROM ${table}`);
      return "forgotten";
    }
    if (database.has("data_keys"))
      for (const { name, encrypted_data: data } of database.rows("SELECT name, encrypted_data FROM data_keys")) {
        const plain = decrypt(Buffer.from(data as Uint8Array), PUBLISHED_KEY);
        database.run("UPDATE data_keys SET encrypted_data = ? WHERE name = ?", encrypt(plain, secret), String(name));
      }
    return "changed";
  });
}

/**
 * Gives provisioned data sources the names that this stack provisions them by. Grafana ends at its start if a data source has
 * the uid of a provisioned one and another name, as after a restore from an environment of another name. One of the operator's
 * own that has such a name keeps everything else and gets ` (own)` behind it.
 * @param names of the data sources, by uid
 * @returns the uids of those that had another name
 */
export function nameDataSources(file: string, names: ReadonlyMap<string, string>): string[] {
  if (!existsSync(file)) return [];
  const database = new GrafanaDatabase(file);
  return database.change(() => {
    if (!database.has("data_source")) return [];
    const present = new Map(
      database.rows("SELECT uid, name FROM data_source").map(({ uid, name }) => [String(uid), String(name)]),
    );
    const wrong = [...names].filter(([uid, name]) => present.has(uid) && present.get(uid) !== name);
    for (const [uid, name] of wrong) {
      database.run("UPDATE data_source SET name = name || ' (own)' WHERE uid <> ? AND name = ?", uid, name);
      database.run("UPDATE data_source SET name = ? WHERE uid = ?", name, uid);
    }
    return wrong.map(([uid]) => uid);
  });
}

/** The names by uid of a database's provisioned data sources, which nobody can change in Grafana's pages. */
export function provisionedDataSources(file: string): ReadonlyMap<string, string> {
  if (!existsSync(file)) return new Map();
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
  try {
    const rows = database.prepare("SELECT uid, name FROM data_source WHERE read_only = 1").all();
    return new Map(rows.map(({ uid, name }) => [String(uid), String(name)]));
  } finally {
    database.close();
  }
}
