import { readFileSync } from "node:fs";
import { POSTGRES_DATABASE, POSTGRES_RESTORED } from "../../../components/data/postgresRoles.ts";
import type { Manifest } from "../../../services/backup/src/manifest.ts";
import { quoted } from "../../../services/backup/src/tables.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { PostgresTarget } from "../restore/postgres.ts";
import { helper, type Source, type Volume } from "../restore/volumes.ts";
import { UPGRADED } from "./clusters.ts";
import { UpgradeServer } from "./server.ts";

const script = readFileSync(new URL("new-cluster.sh", import.meta.url), "utf8");
const PSQL = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--host=/tmp"];
/** Where Postgres's container has the statements that make databases, roles, passwords and grants; they tell verifiers alone. */
const ROLES_FILE = "/run/live/current/roles.sql";

/** What no dump of a schema holds, a line each. Catalogues alone are read: no code of a service runs. */
const outsideSql = `SELECT 'cast from ' || pg_catalog.format_type(castsource, NULL) || ' to ' || pg_catalog.format_type(casttarget, NULL)
    FROM pg_catalog.pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'setting of role ' || coalesce(r.rolname, 'any') || ': ' || each
    FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) each
  UNION ALL SELECT 'database ' || datname FROM pg_catalog.pg_database
    WHERE NOT datistemplate AND datname NOT IN ('postgres', '${POSTGRES_DATABASE}', '${POSTGRES_RESTORED}', '${POSTGRES_DATABASE}_replaced')
  ORDER BY 1;`;
const rolesSql = "SELECT rolname FROM pg_catalog.pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_' ORDER BY 1;";

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

export interface FillArgs {
  /** Postgres's volume. */
  readonly volume: Volume;
  /** Postgres's container, which runs the former version. */
  readonly former: string;
  /** Id of the new version's image. */
  readonly image: string;
  /** The verified backup that fills it. */
  readonly source: Source;
  readonly manifest: Manifest;
}

/** The superuser's statements in a container's server: none of them reads or runs what a service made. */
async function ask(daemon: Daemon, container: string, database: string, sql: string): Promise<string> {
  const args = ["exec", "--interactive", container, ...PSQL, "--username=postgres", `--dbname=${database}`];
  return (await daemon.run(args, { input: sql })).stdout.trim();
}

/**
 * Makes a cluster of the new version beside the present one and fills it from a backup: the platform's own roles, each schema restored by
 * a session of its owner, every table compared by its rows and their checksum. The present cluster is only read.
 * @throws UserError when anything would be missing or differ; the present cluster is as it was
 */
export async function fillNewCluster({ volume, former, image, source, manifest }: FillArgs): Promise<void> {
  const { daemon } = volume;
  const options = helper(volume).filter((word) => word !== "--rm");
  const folder = `/volume/${UPGRADED}`;
  const command = ["--entrypoint", "/bin/sh", image, "-euc", script, "sh", folder, POSTGRES_RESTORED];
  const server = await UpgradeServer.start(daemon, options, command, "/tmp");
  const applyRoles = () =>
    daemon.pipe(["exec", former, "cat", ROLES_FILE], daemon, [
      ...["exec", "--interactive", server.name, ...PSQL, "--username=postgres"],
    ]);
  try {
    await applyRoles();
    // A role that this version of the program does not know may own a schema, or be named in a grant: it stays, without a password.
    const known = new Set(lines(await ask(daemon, server.name, "postgres", rolesSql)));
    const strange = lines(await ask(daemon, former, "postgres", rolesSql)).filter((role) => !known.has(role));
    const make = strange.map((role) => `CREATE ROLE ${quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;`);
    if (make.length > 0) await ask(daemon, server.name, "postgres", make.join("\n"));
    const target = new PostgresTarget(daemon, server.name, false);
    await target.restoreAside(source, manifest, []);
    await target.putInPlace();
    // What roles.sql sets for a database, it sets for the one that now has the name.
    await applyRoles();
    const there = new Set(lines(await ask(daemon, server.name, POSTGRES_DATABASE, outsideSql)));
    const lost = lines(await ask(daemon, former, POSTGRES_DATABASE, outsideSql)).filter((each) => !there.has(each));
    if (lost.length > 0)
      throw new UserError(
        `no dump of a schema holds this, and it would be lost: ${lost.join(", ")}. Drop it, or save it by hand`,
      );
    await server.stop();
  } finally {
    await server.remove();
  }
}
