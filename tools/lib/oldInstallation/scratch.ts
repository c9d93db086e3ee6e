import { POSTGRES_RESTORED } from "../../../components/data/postgresRoles.ts";
import { restoreArgs } from "../../../services/backup/src/scratchSql.ts";
import { quoted, type TableSum } from "../../../services/backup/src/tables.ts";
import type { Daemon } from "../daemon.ts";
import type { Content } from "../flow.ts";
import { UserError } from "../log.ts";
import { LIMIT_S, PostgresTarget, READER, SOCKET } from "../restore/postgres.ts";
import type { OldHost } from "./host.ts";
import type { OldContainer } from "./project.ts";
import { dumpScript, type MovedSchema, OLD_SCHEMA, type OldDatabase } from "./tables.ts";

/**
 * A database beside the stack's, the same that a restore uses, in which the old tables become a service's: the dump is restored by
 * a session of the role that will own them, in a schema `public` that belongs to it, which is then renamed. A hostile dump can do
 * no more than that role may.
 */
export class Scratch {
  readonly #daemon: Daemon;
  readonly #container: string;
  readonly #postgres: PostgresTarget;

  constructor(daemon: Daemon, container: string) {
    this.#daemon = daemon;
    this.#container = container;
    this.#postgres = new PostgresTarget(daemon, container);
  }

  /** @throws UserError when the dump cannot be restored as the owner */
  async take(host: OldHost, from: OldContainer, database: OldDatabase, moved: MovedSchema): Promise<void> {
    const { schema } = moved;
    await this.remove();
    await this.#postgres.sql("postgres", `CREATE DATABASE ${POSTGRES_RESTORED} TEMPLATE template0;`);
    await this.#postgres.sql(
      POSTGRES_RESTORED,
      [
        `REVOKE ALL ON DATABASE ${POSTGRES_RESTORED} FROM PUBLIC;`,
        `REVOKE ALL ON SCHEMA ${OLD_SCHEMA} FROM PUBLIC;`,
        `GRANT CONNECT ON DATABASE ${POSTGRES_RESTORED} TO ${quoted(schema)}, ${READER};`,
        `ALTER SCHEMA ${OLD_SCHEMA} OWNER TO ${quoted(schema)};`,
      ].join("\n"),
    );
    const restore = [
      "timeout",
      String(LIMIT_S),
      "pg_restore",
      SOCKET,
      ...restoreArgs(schema, OLD_SCHEMA, POSTGRES_RESTORED),
    ];
    try {
      const into = ["exec", "--interactive", this.#container, ...restore];
      for await (const _ of this.#daemon.flow(into, host.read(dumpScript(from, database, moved))));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UserError(`the old tables of ${moved.owner} cannot be restored as its role ${schema}: ${why}`);
    }
    await this.#postgres.sql(POSTGRES_RESTORED, `ALTER SCHEMA ${OLD_SCHEMA} RENAME TO ${quoted(schema)};`);
  }

  /** Counts and sums the tables that it holds. */
  sums(schema: string): Promise<TableSum[]> {
    return this.#postgres.sums(schema);
  }

  /** The schema as a backup has it. */
  dump(schema: string): Content {
    const where = [SOCKET, `--username=${READER}`, `--dbname=${POSTGRES_RESTORED}`, "--no-password"];
    const form = ["--format=custom", "--compress=none", `--schema=${quoted(schema)}`];
    return this.#daemon.flow(["exec", this.#container, "pg_dump", ...where, ...form]);
  }

  async version(): Promise<{ readonly major: number; readonly text: string }> {
    const text = await this.#postgres.sql("postgres", "SHOW server_version;");
    return { major: Number.parseInt(text, 10), text };
  }

  async remove(): Promise<void> {
    await this.#postgres.sql("postgres", `DROP DATABASE IF EXISTS ${POSTGRES_RESTORED} WITH (FORCE);`);
  }
}
