import { commandLine } from "../../../components/configCommand.ts";
import { schemaGuardSql } from "../../../components/data/postgresGuard.ts";
import {
  POSTGRES_DATABASE,
  POSTGRES_RESTORED,
  postgresRoles,
  schemasSetupSql,
} from "../../../components/data/postgresRoles.ts";
import {
  dumpPath,
  FORMER_DUMP,
  FORMER_FORMAT,
  type Manifest,
  type SavedSchema,
  savedTables,
} from "../../../services/backup/src/manifest.ts";
import { inOrder, restoreArgs } from "../../../services/backup/src/scratchSql.ts";
import {
  copySql,
  quoted,
  RowSum,
  readerSettings,
  type TableSum,
  tableDifferences,
  tablesSql,
} from "../../../services/backup/src/tables.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { piece, type Source } from "./volumes.ts";

/** The server's own socket, where its superuser may connect, and each role to the database that is being restored. */
export const SOCKET = "--host=/tmp";
const REPLACED = `${POSTGRES_DATABASE}_replaced`;
/** It reads everybody's tables, and nothing that it reads runs anybody's code. */
export const READER = "backup";
const PSQL = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", SOCKET];
/** A schema may bring code that never ends. Beyond this, a restore's own rows take an hour for 10 GB on a slow disk. */
export const LIMIT_S = 4 * 60 * 60;

const reads = Object.fromEntries(postgresRoles.map(({ role, reads: others }) => [role, others]));

/** Postgres of the stack that is restored. */
export class PostgresTarget {
  readonly #daemon: Daemon;
  readonly #container: string;
  readonly #mayLeaveOut: boolean;

  /** @param mayLeaveOut whether the command that restores can leave a schema out, which its faults then tell */
  constructor(daemon: Daemon, container: string, mayLeaveOut = true) {
    this.#daemon = daemon;
    this.#container = container;
    this.#mayLeaveOut = mayLeaveOut;
  }

  /** The superuser's statements: none of them reads or runs what a service made. */
  async sql(database: string, sql: string): Promise<string> {
    const args = ["exec", "--interactive", this.#container, ...PSQL, "--username=postgres", `--dbname=${database}`];
    return (await this.#daemon.run(args, { input: sql })).stdout.trim();
  }

  /** @throws when a newer Postgres made the dump, or the server is of a version that cannot restore as the owners */
  async check({ postgres }: Manifest): Promise<void> {
    const major = Math.floor(Number(await this.sql("postgres", "SHOW server_version_num;")) / 10_000);
    if (major < postgres.major)
      throw new UserError(`the backup is of Postgres ${postgres.major}, and this stack runs ${major}`);
    const rule = `SELECT count(*) FROM pg_hba_file_rules WHERE type = 'local' AND '${POSTGRES_RESTORED}' = ANY (database);`;
    if ((await this.sql("postgres", rule)) === "0")
      throw new UserError(
        `this stack's Postgres is set up by an earlier version of the program; first: ${commandLine(this.#daemon.stack, "up")}`,
      );
  }

  /** The schemas of a backup, each with its owner, those first that others read. */
  #schemas({ format, postgres }: Manifest, without: readonly string[]): SavedSchema[] {
    // The former form names none; a role's schema had its name then.
    const former = postgresRoles
      .filter(({ ownsSchema }) => ownsSchema)
      .map(({ role }) => ({ schema: role, owner: role, tables: [] }));
    const saved = format === FORMER_FORMAT ? former : postgres.schemas;
    return inOrder(
      saved.filter(({ schema }) => !without.includes(schema)),
      reads,
    );
  }

  /**
   * Restores beside the present database, each schema by a session of the role that owns it, and compares every table with
   * what was saved.
   */
  async restoreAside(source: Source, manifest: Manifest, without: readonly string[]): Promise<void> {
    const schemas = this.#schemas(manifest, without);
    const roles = (await this.sql("postgres", "SELECT rolname FROM pg_roles WHERE NOT rolsuper;")).split("\n");
    const strange = schemas.filter(({ owner }) => !roles.includes(owner));
    if (strange.length > 0)
      throw new UserError(
        `this stack has no role ${strange.map(({ owner }) => owner).join(", ")}, which owns a schema of the backup; leave it out: ${strange.map(({ schema }) => `--without ${schema}`).join(" ")}`,
      );
    await this.sql("postgres", `DROP DATABASE IF EXISTS ${POSTGRES_RESTORED} WITH (FORCE);`);
    await this.sql("postgres", `CREATE DATABASE ${POSTGRES_RESTORED} TEMPLATE template0;`);
    await this.sql(
      POSTGRES_RESTORED,
      [
        `REVOKE ALL ON DATABASE ${POSTGRES_RESTORED} FROM PUBLIC;`,
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        ...schemas.map(({ schema, owner }) => `CREATE SCHEMA ${quoted(schema)} AUTHORIZATION ${quoted(owner)};`),
        ...postgresRoles
          .filter(({ replicates }) => replicates !== true)
          .map(({ role }) => `GRANT CONNECT ON DATABASE ${POSTGRES_RESTORED} TO ${role};`),
        ...schemas.map(({ owner }) => `GRANT CONNECT ON DATABASE ${POSTGRES_RESTORED} TO ${quoted(owner)};`),
        ...schemasSetupSql(),
        "",
      ].join("\n"),
    );
    for (const schema of schemas) await this.#restore(source, manifest, schema);
    const found: TableSum[] = [];
    for (const { schema } of schemas) found.push(...(await this.sums(schema)));
    const there = (sums: readonly TableSum[]) => sums.filter(({ schema }) => !without.includes(schema));
    // Checksums of the former form were of another kind.
    const comparable = (sums: readonly TableSum[]) =>
      manifest.format === FORMER_FORMAT ? there(sums).map((sum) => ({ ...sum, checksum: "" })) : there(sums);
    const differences = tableDifferences(comparable(savedTables(manifest)), comparable(found));
    if (differences.length > 0) throw new UserError(`the restored database differs: ${differences.join("; ")}`);
    // Last: before their rows come, all tables are empty, and a reader's would be taken for copies of its owner's.
    await this.sql(POSTGRES_RESTORED, [...schemaGuardSql(), ""].join("\n"));
  }

  async #restore(source: Source, { format }: Manifest, { schema, owner }: SavedSchema): Promise<void> {
    const path = format === FORMER_FORMAT ? FORMER_DUMP : dumpPath(schema);
    const restore = [
      "timeout",
      String(LIMIT_S),
      "pg_restore",
      SOCKET,
      ...restoreArgs(owner, schema, POSTGRES_RESTORED),
    ];
    try {
      await source.daemon.pipe(piece(source, "cat", path), this.#daemon, [
        ...["exec", "--interactive", this.#container, ...restore],
      ]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UserError(
        `schema ${schema} cannot be restored as its owner ${owner}: ${why}${this.#mayLeaveOut ? `\nTo go without it, and have it empty: --without ${schema}` : ""}`,
      );
    }
  }

  /** Counts and sums a schema's tables, by a role that reads and whose reading runs nobody's code. */
  async sums(schema: string): Promise<TableSum[]> {
    const options = Object.entries(readerSettings).map(([name, value]) => `SET ${name} = '${value}';`);
    const session = ["exec", "--interactive", this.#container, ...PSQL, `--username=${READER}`];
    const ask = [...session, `--dbname=${POSTGRES_RESTORED}`];
    const literal = `'${schema.replaceAll("'", "''")}'`;
    const list = `SELECT json_agg(name) FROM (${tablesSql.replace("$1", literal)}) t;`;
    const { stdout } = await this.#daemon.run(ask, { input: [...options, list].join("\n") });
    const names = JSON.parse(stdout.trim() || "[]") as string[];
    const sums: TableSum[] = [];
    for (const name of names) {
      const sum = new RowSum();
      const input = [...options, `${copySql(schema, name)};`, ""].join("\n");
      await this.#daemon.read(ask, input, (chunk) => sum.add(chunk));
      sums.push(sum.of(schema, name));
    }
    return sums;
  }

  /** Puts the restored database in the present one's place, both or neither. */
  async putInPlace(): Promise<void> {
    await this.sql(
      "postgres",
      [
        `DROP DATABASE IF EXISTS ${REPLACED} WITH (FORCE);`,
        `ALTER DATABASE ${POSTGRES_DATABASE} WITH ALLOW_CONNECTIONS false;`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('${POSTGRES_DATABASE}', '${POSTGRES_RESTORED}');`,
        "BEGIN;",
        `ALTER DATABASE ${POSTGRES_DATABASE} RENAME TO ${REPLACED};`,
        `ALTER DATABASE ${POSTGRES_RESTORED} RENAME TO ${POSTGRES_DATABASE};`,
        "COMMIT;",
        `DROP DATABASE ${REPLACED} WITH (FORCE);`,
        "",
      ].join("\n"),
    );
  }
}
