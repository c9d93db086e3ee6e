import { POSTGRES_DATABASE } from "../../../components/data/postgres-roles.ts";
import { type Manifest, POSTGRES_DUMP } from "../../../services/backup/src/manifest.ts";
import { type Row, sumSettings, tableDifferences, tableSums } from "../../../services/backup/src/tables.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import type { Source } from "./volumes.ts";

/** The server's own socket, where its superuser may connect. */
const SUPERUSER = ["--host=/tmp", "--username=postgres"];
/** The restored database until it is known to be whole. */
const ASIDE = `${POSTGRES_DATABASE}_restored`;
const REPLACED = `${POSTGRES_DATABASE}_replaced`;

/** Postgres of the stack that is restored. */
export class PostgresTarget {
  readonly #daemon: Daemon;
  readonly #container: string;

  constructor(daemon: Daemon, container: string) {
    this.#daemon = daemon;
    this.#container = container;
  }

  async #sql(database: string, sql: string): Promise<string> {
    const psql = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
    const args = ["exec", "--interactive", this.#container, ...psql, ...SUPERUSER, `--dbname=${database}`];
    return (await this.#daemon.run(args, { input: sql })).stdout.trim();
  }

  /** @throws when a newer Postgres made the dump */
  async check({ postgres }: Manifest): Promise<void> {
    const major = Math.floor(Number(await this.#sql("postgres", "SHOW server_version_num;")) / 10_000);
    if (major < postgres.major)
      throw new UserError(`the backup is of Postgres ${postgres.major}, and this stack runs ${major}`);
  }

  /** Restores beside the present database, and compares every table with what was saved. */
  async restoreAside(source: Source, { postgres }: Manifest): Promise<void> {
    await this.#sql("postgres", `DROP DATABASE IF EXISTS ${ASIDE} WITH (FORCE);`);
    await this.#sql("postgres", `CREATE DATABASE ${ASIDE} TEMPLATE template0;`);
    const restore = ["pg_restore", ...SUPERUSER, `--dbname=${ASIDE}`, "--exit-on-error", "--single-transaction"];
    await source.daemon.pipe(["exec", source.container, "cat", `${source.directory}/${POSTGRES_DUMP}`], this.#daemon, [
      "exec",
      "--interactive",
      this.#container,
      ...restore,
    ]);
    const found = await tableSums(async (sql) => {
      const text = await this.#sql(ASIDE, `${sumSettings}; SELECT coalesce(json_agg(q), '[]') FROM (${sql}) q;`);
      return JSON.parse(text) as Row[];
    });
    const differences = tableDifferences(postgres.tables, found);
    if (differences.length > 0) throw new UserError(`the restored database differs: ${differences.join("; ")}`);
  }

  /** Puts the restored database in the present one's place, both or neither. */
  async putInPlace(): Promise<void> {
    await this.#sql(
      "postgres",
      [
        `DROP DATABASE IF EXISTS ${REPLACED} WITH (FORCE);`,
        `ALTER DATABASE ${POSTGRES_DATABASE} WITH ALLOW_CONNECTIONS false;`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${POSTGRES_DATABASE}';`,
        "BEGIN;",
        `ALTER DATABASE ${POSTGRES_DATABASE} RENAME TO ${REPLACED};`,
        `ALTER DATABASE ${ASIDE} RENAME TO ${POSTGRES_DATABASE};`,
        "COMMIT;",
        `DROP DATABASE ${REPLACED} WITH (FORCE);`,
        "",
      ].join("\n"),
    );
  }
}
