import type { CredentialName } from "../credentials/catalogue.ts";
import { serviceNames, services, underscored } from "../platform/catalogue.ts";
import { schemaGuardSql } from "./postgresGuard.ts";

/** The platform's database. */
export const POSTGRES_DATABASE = "autollm";
/** The restored database until it is known to be complete. */
export const POSTGRES_RESTORED = `${POSTGRES_DATABASE}_restored`;

export interface PostgresRole {
  readonly role: string;
  /** Its password's credential. */
  readonly credential: CredentialName;
  /** The schema that it owns, named after it; the components have none. */
  readonly ownsSchema: boolean;
  /** Built-in roles whose rights it has. */
  readonly memberOf: readonly string[];
  /** Schemas of other roles whose tables it may select from. */
  readonly reads: readonly string[];
  /** Whether it copies the cluster as a whole, by the replication protocol alone: it may connect to no database. Default no. */
  readonly replicates?: boolean;
  /** Whether it reads rows without asking the policies of their table, which are code of the table's owner. Default no. */
  readonly passesRowPolicies?: boolean;
}

const watcher = (role: "exporter" | "backup", memberOf: string): PostgresRole => ({
  role,
  credential: `postgres-${role}`,
  ownsSchema: false,
  memberOf: [memberOf],
  reads: [],
});

/** The role of the WAL archive. */
export const WAL_ARCHIVE_ROLE = "wal_archive";

/** One role per service that needs Postgres, and those of the exporter, the backup and the WAL archive. */
export const postgresRoles: readonly PostgresRole[] = [
  ...serviceNames
    .filter((service) => services[service].needs.includes("postgres"))
    .map((service) => ({
      role: underscored(service),
      credential: `postgres-${service}` as const,
      ownsSchema: true,
      memberOf: [],
      reads: (services[service].readsTablesOf ?? []).map(underscored),
    })),
  watcher("exporter", "pg_monitor"),
  { ...watcher("backup", "pg_read_all_data"), passesRowPolicies: true },
  {
    role: WAL_ARCHIVE_ROLE,
    credential: "postgres-wal-archive",
    ownsSchema: false,
    memberOf: [],
    reads: [],
    replicates: true,
  },
];

/** Most connections of one role: a service that leaks them must not lock out the others. */
const CONNECTION_LIMIT = 20;

/** A role's comment says since when its password counts. */
const SINCE = "password since ";
/** The comment while the password is being changed: any session may have been opened by the previous one. */
const CHANGING = `${SINCE}infinity`;

function roleSql(
  { role, credential, memberOf, passesRowPolicies = false, replicates = false }: PostgresRole,
  verifiers: ReadonlyMap<string, string>,
): string[] {
  const verifier = verifiers.get(credential);
  if (verifier === undefined) throw new Error(`${role}: has no verifier of a password`);
  return [
    `SELECT 'CREATE ROLE ${role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') \\gexec`,
    `ALTER ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE ${replicates ? "REPLICATION" : "NOREPLICATION"} ${passesRowPolicies ? "BYPASSRLS" : "NOBYPASSRLS"} CONNECTION LIMIT ${CONNECTION_LIMIT};`,
    `SELECT rolpassword IS DISTINCT FROM '${verifier}' OR shobj_description(oid, 'pg_authid') = '${CHANGING}' AS changed FROM pg_authid WHERE rolname = '${role}' \\gset`,
    "\\if :changed",
    `COMMENT ON ROLE ${role} IS '${CHANGING}';`,
    `ALTER ROLE ${role} PASSWORD '${verifier}';`,
    `SELECT format('COMMENT ON ROLE ${role} IS %L', '${SINCE}' || clock_timestamp()) \\gexec`,
    "\\endif",
    ...(replicates ? [] : [`GRANT CONNECT ON DATABASE ${POSTGRES_DATABASE} TO ${role};`]),
    ...memberOf.map((group) => `GRANT ${group} TO ${role};`),
  ];
}

const formerSessions = `FROM pg_stat_activity JOIN pg_roles ON rolname = usename WHERE backend_start < substring(shobj_description(pg_roles.oid, 'pg_authid') from '^${SINCE}(.*)$')::timestamptz`;

/** A script for psql, run as superuser: ends the sessions that were opened by a password which has been replaced since. */
export const endFormerSessionsSql = [
  // The server waits for the end of each, in ms.
  `SELECT pg_terminate_backend(pid, 5000) ${formerSessions};`,
  `DO $$ BEGIN IF EXISTS (SELECT ${formerSessions}) THEN RAISE EXCEPTION 'a session that a former password opened does not end'; END IF; END $$;`,
  "",
].join("\n");

/**
 * Where a role's bare names are looked up: what it creates is its own, and what it does not have is an owner's that it may read.
 * A session keeps the path that it began with, so those with another one are ended.
 */
function searchPathSql({ role, reads }: PostgresRole): string[] {
  const path = [role, ...reads].join(", ");
  return [
    `SELECT coalesce(rolconfig @> ARRAY['search_path=${path}'], false) AS settled FROM pg_roles WHERE rolname = '${role}' \\gset`,
    "\\if :settled",
    "\\else",
    `ALTER ROLE ${role} SET search_path = ${path};`,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}';`,
    "\\endif",
  ];
}

function schemaSql({ role, reads }: PostgresRole): string[] {
  return [
    ...reads.flatMap((owner) => [
      `GRANT USAGE ON SCHEMA ${owner} TO ${role};`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${owner} TO ${role};`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${owner} GRANT SELECT ON TABLES TO ${role};`,
    ]),
  ];
}

const owners = () => postgresRoles.filter(({ ownsSchema }) => ownsSchema);

/** The schemas, with what each role may read in others'. In a database that is empty, it also holds for tables to come. */
export function schemasSetupSql(): string[] {
  return [
    ...owners().map(({ role }) => `CREATE SCHEMA IF NOT EXISTS ${role} AUTHORIZATION ${role};`),
    ...owners().flatMap(schemaSql),
  ];
}

/**
 * A script for psql, run as superuser over a local socket: database, roles, current passwords, schemas, grants. It may run any number of times.
 * Only roles whose password has changed are given one, and the server is told its verifier alone, which shows neither among the
 * activities that the exporter may see, nor in the log.
 * @param verifiers what Postgres keeps of each role's password (see scram.ts), by its credential
 */
export function postgresSetupSql(verifiers: ReadonlyMap<string, string>): string {
  return [
    "\\set ON_ERROR_STOP on",
    "SET client_min_messages = warning;",
    `SELECT 'CREATE DATABASE ${POSTGRES_DATABASE}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${POSTGRES_DATABASE}') \\gexec`,
    `\\connect ${POSTGRES_DATABASE}`,
    "SET client_min_messages = warning;",
    "SET track_activities = off;",
    "SET log_statement = 'none';",
    "SET log_min_error_statement = 'panic';",
    "SET log_min_duration_statement = -1;",
    `REVOKE ALL ON DATABASE ${POSTGRES_DATABASE} FROM PUBLIC;`,
    "REVOKE ALL ON DATABASE postgres FROM PUBLIC;",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
    ...postgresRoles.flatMap((role) => roleSql(role, verifiers)),
    // Schemas after all roles: a grant names roles on both sides.
    ...schemasSetupSql(),
    ...owners().flatMap(searchPathSql),
    ...schemaGuardSql(),
    "",
  ].join("\n");
}
