import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pgHba, postgresConf } from "../../components/data/postgres.ts";
import { GUARD_LOCK, schemaGuardSql } from "../../components/data/postgresGuard.ts";
import {
  POSTGRES_DATABASE,
  POSTGRES_RESTORED,
  postgresRoles,
  postgresSetupSql,
  schemasSetupSql,
} from "../../components/data/postgresRoles.ts";
import { scramVerifier } from "../../components/data/scram.ts";
import { inOrder, restoreArgs } from "../../services/backup/src/scratchSql.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { ensureImages } from "../../tools/bootstrap/images/images.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { HOSTILE_LINE, hostileSqlOf, hostileWays } from "./lib/hostileRole.ts";
import { eventually } from "./lib/http.ts";
import { docker } from "./lib/stack.ts";

const OWNER = "portfolio_ledger";
const READER = "gateway_api";
const OTHER_READER = "reporter";
const owners = [OWNER, READER, OTHER_READER];

const passwords = new Map(postgresRoles.map(({ role }) => [role, randomBytes(16).toString("hex")]));
const setup = postgresSetupSql(
  new Map(
    postgresRoles.map(({ role, credential }) => [credential, scramVerifier(role, passwords.get(role) ?? "", "key")]),
  ),
);

const directory = mkdtempSync(join(tmpdir(), "autollm-postgres-readers-"));
const opened: pg.Client[] = [];
let container: string;
let port: number;

/** psql of the container's superuser, as the start script and a restore run it. */
const superuser = async (sql: string, database = POSTGRES_DATABASE) => {
  const args = ["--no-psqlrc", "--quiet", "-At", "--set=ON_ERROR_STOP=1", "--host=/tmp", "--username=postgres"];
  const input = `SET client_min_messages = warning;\n${sql}\n`;
  const exec = ["exec", "--interactive", container, "psql", ...args, `--dbname=${database}`];
  return (await run("docker", exec, { input })).stdout.trim();
};

async function session(role: string): Promise<pg.Client> {
  const password = passwords.get(role) ?? "";
  const client = new pg.Client({ host: "127.0.0.1", port, user: role, password, database: POSTGRES_DATABASE });
  client.on("error", () => undefined);
  await client.connect();
  opened.push(client);
  return client;
}

const serverLog = async () => {
  const { stdout, stderr } = await run("docker", ["logs", container]);
  return `${stdout}${stderr}`;
};

/** What ORMs and migration tools ask before they create a table: whether a table is found by its bare name. */
const isFound = async (client: pg.Client, name: string) =>
  ((
    await client.query(
      "SELECT FROM pg_catalog.pg_class c WHERE pg_catalog.pg_table_is_visible(c.oid) AND c.relname = $1 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')",
      [name],
    )
  ).rowCount ?? 0) > 0;

const EXECUTIONS = "executions (id serial PRIMARY KEY, symbol varchar(20), price double precision)";
const VERSION =
  "alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))";

/** Creates a table as `create_all` does: not if one is found. */
const createUnlessFound = async (client: pg.Client, table: string) => {
  if (!(await isFound(client, table.split(" ")[0] ?? ""))) await client.query(`CREATE TABLE ${table}`);
};

/** A first start of an Alembic migration that makes one table. */
async function migrate(client: pg.Client, revision: string, table: string) {
  await createUnlessFound(client, VERSION);
  const { rows } = await client.query<{ version_num: string }>("SELECT version_num FROM alembic_version");
  const done = rows.map(({ version_num }) => version_num);
  if (done.includes(revision)) return;
  if (done.length > 0) throw new Error(`Can't locate revision identified by '${done.join()}'`);
  await client.query(`CREATE TABLE ${table}`);
  await client.query("INSERT INTO alembic_version VALUES ($1)", [revision]);
}

const tablesOf = async (schema: string) =>
  (await superuser(`SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' ORDER BY 1;`))
    .split("\n")
    .filter((name) => name !== "");

const refused = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => String(error),
  );

beforeAll(async () => {
  await ensureDocker({ install: process.env.CI === "true" });
  const { postgres } = await ensureImages(["postgres"]);
  const live = join(directory, "live");
  mkdirSync(join(live, "one"), { recursive: true });
  writeFileSync(join(live, "one", "roles.sql"), setup);
  symlinkSync("one", join(live, "current"));
  const files = { "postgresql.conf": postgresConf, "pg_hba.conf": pgHba };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  for (const path of [directory, live, join(live, "one")]) chmodSync(path, 0o755);
  container = await docker(
    ...["run", "--detach", "--read-only", "--cap-drop=ALL", "--publish=127.0.0.1::5432", "--shm-size=64m"],
    ...["--tmpfs=/tmp", "--mount=type=volume,dst=/var/lib/postgresql/data", `--volume=${live}:/run/live:ro`],
    ...Object.keys(files).map((file) => `--volume=${join(directory, file)}:/etc/autollm/${file}:ro`),
    `--volume=${root}/components/data/postgres-start.sh:/etc/autollm/start.sh:ro`,
    ...["--user=70:70", "--entrypoint=/bin/sh", postgres, "/etc/autollm/start.sh"],
  );
  port = Number(
    (
      await docker("port", container, "5432").catch(async () => {
        throw new Error(await serverLog());
      })
    )
      .split(":")
      .at(-1),
  );
  await eventually("Postgres takes a login", 60, async () =>
    (await refused(session(OWNER))) === "done" ? true : undefined,
  );
}, 300_000);

afterAll(async () => {
  for (const client of opened) await client.end().catch(() => undefined);
  if (container !== undefined) await docker("rm", "--force", "--volumes", container);
  rmSync(directory, { recursive: true, force: true });
});

/** Schemas that are empty, as on a first start. */
beforeEach(async () => {
  for (const client of opened.splice(0)) await client.end().catch(() => undefined);
  const names = owners.join(", ");
  await superuser(`DROP SCHEMA ${names} CASCADE;`);
  await superuser(setup);
});

describe("a reader", () => {
  test("finds its owner's tables by their bare names, reads them, and creates no copy", async () => {
    const [owner, reader] = [await session(OWNER), await session(READER)];
    await createUnlessFound(owner, EXECUTIONS);
    await owner.query("INSERT INTO executions (symbol, price) VALUES ('AAPL', 1)");
    await createUnlessFound(reader, EXECUTIONS);
    await createUnlessFound(reader, "users (id int PRIMARY KEY)");
    expect((await reader.query("SELECT symbol FROM executions")).rows).toEqual([{ symbol: "AAPL" }]);
    expect(await tablesOf(READER)).toEqual(["users"]);
    expect(await refused(reader.query("DELETE FROM executions"))).toContain("permission denied");
    expect(await refused(reader.query("CREATE TABLE portfolio_ledger.mine (x int)"))).toContain("permission denied");
  });

  test("that starts before its owner keeps no empty copy in front of the owner's table", async () => {
    const reader = await session(READER);
    await createUnlessFound(reader, EXECUTIONS);
    await createUnlessFound(reader, "users (id int PRIMARY KEY)");
    expect((await reader.query("SELECT symbol FROM executions")).rows).toEqual([]);
    const owner = await session(OWNER);
    await createUnlessFound(owner, EXECUTIONS);
    await owner.query("INSERT INTO executions (symbol, price) VALUES ('AAPL', 1)");
    expect((await reader.query("SELECT symbol FROM executions")).rows).toEqual([{ symbol: "AAPL" }]);
    expect(await tablesOf(READER)).toEqual(["users"]);
  });

  test("that starts at the same moment as its owner keeps no copy either", async () => {
    const [owner, reader] = [await session(OWNER), await session(READER)];
    await owner.query("BEGIN");
    await owner.query(`CREATE TABLE ${EXECUTIONS}`);
    expect(await isFound(reader, "executions")).toBe(false);
    const creating = reader.query(`CREATE TABLE ${EXECUTIONS}`);
    await sleep(500);
    await owner.query("COMMIT");
    await creating;
    expect(await tablesOf(READER)).toEqual([]);
    expect(await tablesOf(OWNER)).toEqual(["executions"]);
  });

  test("has an empty copy that an earlier version left behind removed, and keeps what is its own", async () => {
    await superuser("DROP EVENT TRIGGER autollm_schema_guard;");
    const [owner, reader, other] = [await session(OWNER), await session(READER), await session(OTHER_READER)];
    for (const client of [owner, reader, other]) await client.query(`CREATE TABLE ${EXECUTIONS}`);
    await other.query("INSERT INTO executions (symbol) VALUES ('its own row')");
    await owner.query("CREATE TABLE settings (name text, value text)");
    await reader.query("CREATE TABLE settings (name text, something_else text)");
    await superuser(setup);
    expect(await tablesOf(READER)).toEqual(["settings"]);
    expect(await tablesOf(OTHER_READER)).toEqual(["executions"]);
    expect((await other.query("SELECT symbol FROM executions")).rows).toEqual([{ symbol: "its own row" }]);
  });

  test("keeps a copy that something of its own depends on, and the owner's change goes on", async () => {
    const [reader, owner] = [await session(READER), await session(OWNER)];
    await reader.query(`CREATE TABLE ${EXECUTIONS}`);
    await reader.query("CREATE TABLE notes (execution int REFERENCES executions)");
    await owner.query(`CREATE TABLE ${EXECUTIONS}`);
    expect(await tablesOf(READER)).toEqual(["executions", "notes"]);
    expect(await serverLog()).toContain("gateway_api.executions hides portfolio_ledger.executions");
  });

  test("does not hold its owner up by a lock", async () => {
    const [reader, owner] = [await session(READER), await session(OWNER)];
    await reader.query(`CREATE TABLE ${EXECUTIONS}`);
    await reader.query(`BEGIN; SELECT pg_advisory_lock(${GUARD_LOCK}); SELECT * FROM executions`);
    const before = Date.now();
    await owner.query(`CREATE TABLE ${EXECUTIONS}`);
    expect(Date.now() - before).toBeLessThan(15_000);
    await reader.query("ROLLBACK; SELECT pg_advisory_unlock_all()");
    await owner.query("CREATE TABLE next (x int)");
    expect(await tablesOf(READER)).toEqual([]);
  });
});

describe("a migration tool", () => {
  test("works in each service's own schema, no matter which starts first", async () => {
    const [owner, reader, other] = [await session(OWNER), await session(READER), await session(OTHER_READER)];
    await migrate(other, "reports-1", "reports (id int PRIMARY KEY)");
    await migrate(owner, "ledger-1", EXECUTIONS);
    await migrate(reader, "gateway-1", "users (id int PRIMARY KEY)");
    for (const client of [owner, reader, other]) await migrate(client, await firstOf(client), "never (x int)");
    expect(await tablesOf(OWNER)).toEqual(["alembic_version", "executions"]);
    expect(await tablesOf(READER)).toEqual(["alembic_version", "users"]);
    expect(await tablesOf(OTHER_READER)).toEqual(["alembic_version", "reports"]);
    await owner.query("ALTER TABLE executions ADD COLUMN venue text; DROP TABLE executions CASCADE");
    await reader.query("DROP TABLE alembic_version; DROP TABLE users");
  });
  const firstOf = async (client: pg.Client) =>
    (await client.query<{ version_num: string }>("SELECT version_num FROM alembic_version")).rows[0]?.version_num ?? "";
});

describe("an owner that has turned on its readers", () => {
  /** What a reader may ask without meaning to run anything of the owner's. */
  const asks = [
    ...hostileWays.flatMap((way) => [`SELECT * FROM h_${way}`, `SELECT count(*) FROM h_${way} WHERE x = 1`]),
    ...hostileWays.map((way) => `INSERT INTO h_${way} (x) VALUES (2)`),
    ...["SELECT h_cast::text FROM h_cast", "SELECT * FROM h_view", "SELECT * FROM h_materialized"],
    ...["SELECT sha256('a'::bytea)", "SELECT 'a'::text || 'b'::text", "SELECT lower('A'::varchar)"],
    ...["SELECT ran('call')", "SELECT total(x) FROM h_check", "CALL act()"],
    ...hostileWays.map((way) => `DELETE FROM h_${way}`),
  ];
  const more = `
    CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN ran('overload') THEN 'a' END $$;
    CREATE FUNCTION add(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM ${OWNER}.ran('aggregate'); RETURN 1; END $$;
    CREATE AGGREGATE total(int) (SFUNC = add, STYPE = int, INITCOND = '0');
    CREATE PROCEDURE act() LANGUAGE plpgsql AS $$ BEGIN PERFORM ${OWNER}.ran('procedure'); END $$;`;
  /** All that the owner can allow. */
  const grants = [READER, "PUBLIC"].flatMap((to) => [
    `ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON ROUTINES TO ${to}`,
    `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ${to}`,
    `GRANT EXECUTE ON ALL ROUTINES IN SCHEMA ${OWNER} TO ${to}`,
    `GRANT ALL ON ALL TABLES IN SCHEMA ${OWNER} TO ${to}`,
    `GRANT INSERT (x) ON h_trigger TO ${to}`,
    "CREATE OR REPLACE FUNCTION later() RETURNS boolean LANGUAGE sql AS $$ SELECT ran('later') $$",
  ]);
  const lines = async () => [...(await serverLog()).matchAll(HOSTILE_LINE)].map(([, ...found]) => found);
  const asReader = async () => {
    const reader = await session(READER);
    const before = (await lines()).length;
    const answers = new Map<string, string>();
    for (const sql of [...asks, "SELECT later()"]) answers.set(sql, await refused(reader.query(sql)));
    const ran = (await lines()).slice(before).filter((each) => each.includes(READER));
    return { answers, kinds: [...new Set(ran.map(([kind]) => kind))] };
  };

  test("has none of its code run with a reader's rights, whatever it grants", async () => {
    const owner = await session(OWNER);
    await owner.query(hostileSqlOf(OWNER));
    await owner.query(more);
    for (const grant of grants) await owner.query(grant);
    const { answers, kinds } = await asReader();
    expect(kinds).toEqual([]);
    expect(answers.get("SELECT * FROM h_check")).toBe("done");
    for (const way of hostileWays) expect(answers.get(`INSERT INTO h_${way} (x) VALUES (2)`)).toContain("denied");
    // The owner's own statements run its code as before.
    await owner.query("INSERT INTO h_trigger (x) VALUES (3)");
    expect((await lines()).at(-1)).toEqual(["trigger", OWNER, OWNER]);
  });

  test("would have it run without the guard: the attempts are real", async () => {
    await superuser("DROP EVENT TRIGGER autollm_schema_guard;");
    const owner = await session(OWNER);
    await owner.query(hostileSqlOf(OWNER));
    await owner.query(more);
    for (const grant of grants) await owner.query(grant);
    const { kinds } = await asReader();
    expect(kinds).toEqual(expect.arrayContaining(["view", "trigger", "overload", "aggregate", "procedure", "cast"]));
    // And the next start of Postgres ends it.
    await superuser(setup);
    expect((await asReader()).kinds).toEqual([]);
  });

  test("may have a table of the superuser's in its schema, which has no grants yet", async () => {
    await superuser(`CREATE TABLE ${OWNER}.of_the_superuser (a int);`);
    expect(await tablesOf(OWNER)).toContain("of_the_superuser");
  });

  test("cannot touch the guard", async () => {
    for (const role of owners) {
      const client = await session(role);
      for (const sql of [
        "DROP EVENT TRIGGER autollm_schema_guard",
        "ALTER EVENT TRIGGER autollm_schema_guard DISABLE",
        "DROP FUNCTION public.autollm_schema_guard()",
        "CREATE OR REPLACE FUNCTION public.autollm_schema_guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
        "SELECT public.autollm_schema_guard()",
        "SET session_replication_role = replica",
      ])
        expect(await refused(client.query(sql)), `${role}: ${sql}`).toMatch(/must be|denied|permission/);
    }
  });
});

test("a backup's dumps are restored whole, the tables of readers among them", async () => {
  const [owner, reader, other] = [await session(OWNER), await session(READER), await session(OTHER_READER)];
  await migrate(owner, "ledger-1", EXECUTIONS);
  await owner.query("INSERT INTO executions (symbol) VALUES ('AAPL'), ('MSFT')");
  await owner.query("CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2 * $1'");
  await owner.query("CREATE INDEX ON executions (portfolio_ledger.twice(id))");
  await migrate(reader, "gateway-1", "users (id int PRIMARY KEY)");
  await reader.query("CREATE VIEW recent AS SELECT * FROM executions");
  await superuser("ALTER EVENT TRIGGER autollm_schema_guard DISABLE;");
  await other.query(`CREATE TABLE ${EXECUTIONS}; INSERT INTO executions (symbol) VALUES ('its own row')`);
  await superuser("ALTER EVENT TRIGGER autollm_schema_guard ENABLE;");

  await superuser(`DROP DATABASE IF EXISTS ${POSTGRES_RESTORED} WITH (FORCE);`, "postgres");
  await superuser(`CREATE DATABASE ${POSTGRES_RESTORED} TEMPLATE template0;`, "postgres");
  await superuser(schemasSetupSql().join("\n"), POSTGRES_RESTORED);
  const reads = Object.fromEntries(postgresRoles.map(({ role, reads: others }) => [role, others]));
  const schemas = inOrder(
    owners.map((role) => ({ schema: role, owner: role })),
    reads,
  );
  for (const { schema } of schemas) {
    const restore = ["pg_restore", "--host=/tmp", ...restoreArgs(schema, schema, POSTGRES_RESTORED)].join(" ");
    const dump = `PGPASSWORD=${passwords.get("backup")} pg_dump --host=127.0.0.1 --username=backup --format=custom --schema=${schema} ${POSTGRES_DATABASE}`;
    await docker("exec", container, "sh", "-c", `${dump} >/tmp/dump && ${restore} </tmp/dump`);
  }
  await superuser(schemaGuardSql().join("\n"), POSTGRES_RESTORED);
  const found = (schema: string, table: string) =>
    superuser(`SELECT count(*) FROM ${schema}.${table};`, POSTGRES_RESTORED);
  expect(await found(OWNER, "executions")).toBe("2");
  expect(await found(OTHER_READER, "executions")).toBe("1");
  expect(await found(READER, "users")).toBe("0");
  expect(await found(READER, "recent")).toBe("2");
  const callers = `SELECT coalesce(proacl::text, 'PUBLIC') FROM pg_proc WHERE proname = 'twice';`;
  expect(await superuser(callers, POSTGRES_RESTORED)).toBe(`{${OWNER}=X/${OWNER}}`);
  const triggers = "SELECT evtname, evtenabled FROM pg_event_trigger;";
  expect(await superuser(triggers, POSTGRES_RESTORED)).toBe("autollm_schema_guard|O");
});
