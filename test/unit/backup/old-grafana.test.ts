import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { grafanaFacts, prepareOldGrafana } from "../../../services/backup/src/oldGrafana.ts";

const SCHEMA = `
  CREATE TABLE migration_log (migration_id TEXT);
  CREATE TABLE user (id INTEGER PRIMARY KEY, login TEXT, email TEXT, name TEXT, password TEXT, is_admin INTEGER);
  CREATE TABLE user_auth_token (id INTEGER);
  CREATE TABLE api_key (id INTEGER);
  CREATE TABLE data_keys (name TEXT);
  CREATE TABLE data_source (uid TEXT, type TEXT, read_only INTEGER);
  CREATE TABLE dashboard (id INTEGER PRIMARY KEY, org_id INTEGER, uid TEXT, title TEXT, data TEXT, is_folder INTEGER);
  CREATE TABLE dashboard_provisioning (dashboard_id INTEGER);
  INSERT INTO migration_log VALUES ('one');
  INSERT INTO user VALUES (1, 'admin', '', '', 'x', 1);
`;

describe("an old Grafana's database", () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  const make = (name: string, sql: string) => {
    const database = new DatabaseSync(file(name));
    database.exec(`${SCHEMA}${sql}`);
    database.close();
    return file(name);
  };
  const ask = (name: string, sql: string) => {
    const database = new DatabaseSync(file(name), { readOnly: true });
    const rows = database.prepare(sql).all();
    database.close();
    return rows.map((row) => ({ ...row }));
  };
  const present =
    "CREATE TABLE autollm_note (name TEXT, value TEXT); INSERT INTO autollm_note VALUES ('secret-key', 'mark'); INSERT INTO data_source VALUES ('metrics', 'prometheus', 1), ('logs', 'loki', 1);";
  const old = `
    INSERT INTO user VALUES (2, 'bob', 'bob@example.org', 'Bob', 'hash', 0);
    INSERT INTO user_auth_token VALUES (1), (2);
    INSERT INTO api_key VALUES (1);
    INSERT INTO data_keys VALUES ('k');
    INSERT INTO data_source VALUES ('old', 'prometheus', 1), ('own', 'mysql', 0);
    INSERT INTO dashboard VALUES (1, 1, 'p', 'Provisioned', '{}', 0), (2, 1, 'm', 'Mine', '{"uid":"old","note":"older"}', 0), (3, 1, 'f', 'Folder', '{}', 1);
    INSERT INTO dashboard_provisioning VALUES (1);`;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "old-grafana-"));
    make("stack.db", present);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("keeps what the operators made, and leaves what its files made and what opens it", () => {
    const { facts, left } = prepareOldGrafana(make("old.db", old), file("stack.db"));
    expect(facts).toMatchObject({ dashboards: 1, users: 1 });
    expect(left).toEqual({
      sessions: 2,
      "tokens of programs": 1,
      "provisioned dashboards": 1,
      "provisioned data sources": 1,
      "keys by which passwords of data sources and contact points are read": 1,
    });
    expect(ask("old.db", "SELECT uid FROM data_source")).toEqual([{ uid: "own" }]);
    expect(ask("old.db", "SELECT login, password FROM user WHERE id = 2")).toEqual([
      { login: "bob", password: "hash" },
    ]);
  });

  it("has its panels read the stack's data source of the same type", () => {
    prepareOldGrafana(make("old.db", old), file("stack.db"));
    expect(ask("old.db", "SELECT data FROM dashboard WHERE uid = 'm'")).toEqual([
      { data: '{"uid":"metrics","note":"older"}' },
    ]);
  });

  it("forgets what the old secret key encrypted, and notes that the stack's key is in use", () => {
    prepareOldGrafana(make("old.db", old), file("stack.db"));
    expect(ask("old.db", "SELECT name FROM data_keys")).toEqual([]);
    expect(ask("old.db", "SELECT * FROM autollm_note")).toEqual([{ name: "secret-key", value: "mark" }]);
  });

  it("is refused where it is newer than the stack's, or no Grafana's", () => {
    const newer = make("newer.db", "INSERT INTO migration_log VALUES ('two');");
    expect(() => prepareOldGrafana(newer, file("stack.db"))).toThrow("newer than the stack's");
    new DatabaseSync(file("other.db")).close();
    expect(() => prepareOldGrafana(file("other.db"), file("stack.db"))).toThrow("no database of Grafana's");
  });

  it("has other facts once a dashboard or a password is another", () => {
    const before = grafanaFacts(make("a.db", old)).checksum;
    expect(grafanaFacts(make("b.db", old)).checksum).toBe(before);
    expect(grafanaFacts(make("c.db", old.replace("'hash'", "'other'"))).checksum).not.toBe(before);
  });
});
