import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  changeGrafanaKey,
  decrypt,
  encrypt,
  evictFromGrafana,
  nameDataSources,
  provisionedDataSources,
} from "../../../services/backup/src/grafana.ts";
import { randomText } from "../lib/values.ts";

/** A database with the tables that Grafana 10 and 13 have of those that matter here. */
function grafana(): { readonly file: string; readonly sql: (text: string) => Record<string, unknown>[] } {
  const directory = mkdtempSync(join(tmpdir(), "autollm-grafana-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "grafana.db");
  const sql = (text: string) => {
    const database = new DatabaseSync(file);
    try {
      return database.prepare(text).all() as Record<string, unknown>[];
    } finally {
      database.close();
    }
  };
  for (const table of [
    'CREATE TABLE "user" (id INTEGER PRIMARY KEY, login TEXT, is_disabled INTEGER, is_service_account INTEGER)',
    "CREATE TABLE user_auth_token (id INTEGER PRIMARY KEY, user_id INTEGER, auth_token TEXT)",
    "CREATE TABLE api_key (id INTEGER PRIMARY KEY, name TEXT, service_account_id INTEGER)",
    "CREATE TABLE temp_user (id INTEGER PRIMARY KEY, code TEXT)",
    "CREATE TABLE data_keys (name TEXT PRIMARY KEY, encrypted_data BLOB)",
    "CREATE TABLE dashboard (id INTEGER PRIMARY KEY, title TEXT)",
    `INSERT INTO "user" VALUES (1, 'admin', 0, 0), (2, 'eve', 0, 0), (3, 'sa-eve', 0, 1), (4, 'left', 1, 0)`,
    "INSERT INTO user_auth_token VALUES (1, 1, 'a'), (2, 2, 'b')",
    "INSERT INTO api_key VALUES (1, 'key', NULL), (2, 'token', 3)",
    "INSERT INTO temp_user VALUES (1, 'code')",
    "INSERT INTO dashboard VALUES (1, 'kept')",
  ])
    sql(table);
  return { file, sql };
}

const left = (sql: (text: string) => Record<string, unknown>[]) => ({
  sessions: sql("SELECT * FROM user_auth_token").length,
  tokens: sql("SELECT * FROM api_key").length,
  invitations: sql("SELECT * FROM temp_user").length,
  users: sql('SELECT login FROM "user" WHERE is_disabled = 0').map(({ login }) => login),
});
const all = { sessions: 2, tokens: 2, invitations: 1, users: ["admin", "eve", "sa-eve"] };

describe("a new password of Grafana's administrator", () => {
  it("ends every session and token, and leaves the administrator alone enabled", () => {
    const { file, sql } = grafana();
    evictFromGrafana(file, { password: "one", secretKey: "key" });
    expect(evictFromGrafana(file, { password: "two", secretKey: "key" })).toEqual({
      user_auth_token: 2,
      api_key: 2,
      temp_user: 1,
      user: 2,
    });
    expect(left(sql)).toEqual({ sessions: 0, tokens: 0, invitations: 0, users: ["admin"] });
    expect(sql("SELECT * FROM dashboard")).toHaveLength(1);
  });

  it("is recognised by a fingerprint: the first run and a second one with the same password end nothing", () => {
    const { file, sql } = grafana();
    expect(evictFromGrafana(file, { password: "one", secretKey: "key" })).toEqual({});
    expect(evictFromGrafana(file, { password: "one", secretKey: "key" })).toEqual({});
    expect(left(sql)).toEqual(all);
  });

  it("is not looked for in what is no database of Grafana's", () => {
    const { file, sql } = grafana();
    sql("DROP TABLE user_auth_token");
    expect(() => evictFromGrafana(file, { password: "one", secretKey: "key" })).toThrow(/no table user_auth_token/);
  });
});

describe("Grafana's secret key", () => {
  const published = ["SW2YcwTIb9zp", "OOhoPsMm"].join("");
  const secret = randomText(32);
  const seal = (sql: (text: string) => unknown, key: string) => {
    const plain = Buffer.from(randomText(16));
    sql(`INSERT INTO data_keys VALUES ('today', x'${encrypt(plain, key).toString("hex")}')`);
    return plain;
  };
  const opened = (sql: (text: string) => Record<string, unknown>[], key: string) =>
    decrypt(Buffer.from(sql("SELECT encrypted_data FROM data_keys")[0]?.encrypted_data as Uint8Array), key);

  it("takes the place of the published one, and what that one encrypted can still be read", () => {
    const { file, sql } = grafana();
    const plain = seal(sql, published);
    expect(changeGrafanaKey(file, secret, "mark")).toBe("changed");
    expect(opened(sql, secret)).toEqual(plain);
    expect(opened(sql, published)).not.toEqual(plain);
  });

  it("is changed once, however often it is looked at", () => {
    const { file, sql } = grafana();
    const plain = seal(sql, published);
    changeGrafanaKey(file, secret, "mark");
    expect(changeGrafanaKey(file, secret, "mark")).toBe("kept");
    expect(opened(sql, secret)).toEqual(plain);
  });

  it("needs no change where the database was made under it", () => {
    const { file, sql } = grafana();
    expect(changeGrafanaKey(join(file, "..", "none.db"), secret, "mark")).toBe("none");
    evictFromGrafana(file, { password: "one", secretKey: "mark" });
    const plain = seal(sql, secret);
    expect(changeGrafanaKey(file, secret, "mark")).toBe("kept");
    expect(opened(sql, secret)).toEqual(plain);
  });

  it("supplied with a new value leaves nothing that Grafana cannot read", () => {
    const { file, sql } = grafana();
    seal(sql, published);
    changeGrafanaKey(file, secret, "mark");
    expect(changeGrafanaKey(file, randomText(32), "other")).toBe("forgotten");
    expect(sql("SELECT * FROM data_keys")).toEqual([]);
  });

  it("encrypts as Grafana does: AES-CFB under PBKDF2, made here by openssl and Python as pkg/services/encryption has it", () => {
    const sealed = Buffer.from("KllXVnpMV05tWWcqYWJjZGVmZ2gAAQIDBAUGBwgJCgsMDQ4Pl0JpyYDf", "base64");
    expect(decrypt(sealed, "nobody").toString()).toBe("opened");
  });
});

describe("Grafana's data sources", () => {
  const table =
    "CREATE TABLE data_source (id INTEGER PRIMARY KEY, org_id INTEGER, uid TEXT, name TEXT, read_only INTEGER, UNIQUE (org_id, name), UNIQUE (org_id, uid))";
  const names = (sql: (text: string) => Record<string, unknown>[]) =>
    Object.fromEntries(sql("SELECT uid, name FROM data_source").map(({ uid, name }) => [String(uid), String(name)]));

  it("take the stack's names after a restore from an environment of another name, and the operator's own stay", () => {
    const [production, staging] = [grafana(), grafana()];
    for (const { sql } of [production, staging]) sql(table);
    production.sql(
      "INSERT INTO data_source VALUES (1, 1, 'prometheus', 'production', 1), (2, 1, 'loki', 'Loki', 1), (3, 1, 'own', 'staging', 0)",
    );
    staging.sql("INSERT INTO data_source VALUES (1, 1, 'prometheus', 'staging', 1), (2, 1, 'loki', 'Loki', 1)");
    expect(nameDataSources(production.file, provisionedDataSources(staging.file))).toEqual(["prometheus"]);
    expect(names(production.sql)).toEqual({ prometheus: "staging", loki: "Loki", own: "staging (own)" });
  });

  it("that have their names are left alone, as is a database that is not there", () => {
    const { file, sql } = grafana();
    sql(table);
    sql("INSERT INTO data_source VALUES (1, 1, 'prometheus', 'local', 1)");
    expect(nameDataSources(file, new Map([["prometheus", "local"]]))).toEqual([]);
    expect(nameDataSources(`${file}.none`, new Map([["prometheus", "local"]]))).toEqual([]);
    expect(provisionedDataSources(`${file}.none`).size).toBe(0);
  });
});
