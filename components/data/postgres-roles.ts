import { serviceNames, services, underscored } from "../platform/catalogue.ts";

/** The platform's database. */
export const POSTGRES_DATABASE = "autollm";
/** The restored database until it is known to be whole. */
export const POSTGRES_RESTORED = `${POSTGRES_DATABASE}_restored`;

export interface PostgresRole {
  readonly role: string;
  /** Its password's credential, and the name of the file that holds it. */
  readonly credential: string;
  /** The schema that it owns, named after it; the parts around the services have none. */
  readonly ownsSchema: boolean;
  /** Built-in roles whose rights it has. */
  readonly memberOf: readonly string[];
  /** Schemas of other roles whose tables it may select from. */
  readonly reads: readonly string[];
  /** Whether it reads rows without asking the policies of their table, which are code of the table's owner. Default no. */
  readonly passesRowPolicies?: boolean;
}

const watcher = (role: string, memberOf: string): PostgresRole => ({
  role,
  credential: `postgres-${role}`,
  ownsSchema: false,
  memberOf: [memberOf],
  reads: [],
});

/** One role a service that needs Postgres, and those of the exporter and the backup. */
export const postgresRoles: readonly PostgresRole[] = [
  ...serviceNames
    .filter((service) => services[service].needs.includes("postgres"))
    .map((service) => ({
      role: underscored(service),
      credential: `postgres-${service}`,
      ownsSchema: true,
      memberOf: [],
      reads: (services[service].readsTablesOf ?? []).map(underscored),
    })),
  watcher("exporter", "pg_monitor"),
  { ...watcher("backup", "pg_read_all_data"), passesRowPolicies: true },
];

/** Most connections of one role: a service that leaks them must not lock out the others. */
const CONNECTION_LIMIT = 20;

function roleSql(
  { role, credential, memberOf, passesRowPolicies = false }: PostgresRole,
  secretsDir: string,
): string[] {
  return [
    `\\set password \`cat ${secretsDir}/${credential}\``,
    `SELECT 'CREATE ROLE ${role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') \\gexec`,
    `ALTER ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION ${passesRowPolicies ? "BYPASSRLS" : "NOBYPASSRLS"} CONNECTION LIMIT ${CONNECTION_LIMIT} PASSWORD :'password';`,
    "\\unset password",
    `GRANT CONNECT ON DATABASE ${POSTGRES_DATABASE} TO ${role};`,
    ...memberOf.map((group) => `GRANT ${group} TO ${role};`),
  ];
}

function schemaSql({ role, reads }: PostgresRole): string[] {
  return [
    `ALTER ROLE ${role} SET search_path = ${role};`,
    ...reads.flatMap((owner) => [
      `GRANT USAGE ON SCHEMA ${owner} TO ${role};`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${owner} TO ${role};`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${owner} GRANT SELECT ON TABLES TO ${role};`,
    ]),
  ];
}

/** The schemas, with what each role may read in others'. In a database that is empty, it also holds for tables to come. */
export function schemasSetupSql(): string[] {
  const owners = postgresRoles.filter(({ ownsSchema }) => ownsSchema);
  return [
    ...owners.map(({ role }) => `CREATE SCHEMA IF NOT EXISTS ${role} AUTHORIZATION ${role};`),
    ...owners.flatMap(schemaSql),
  ];
}

/**
 * A script for psql, run as superuser over a local socket: database, roles, current passwords, schemas, grants. It may run any number of times.
 * Passwords come from files, pass through no command line, and are kept out of the server's log.
 * @param secretsDir the directory with one file a role, named after its credential
 */
export function postgresSetupSql(secretsDir: string): string {
  return [
    "\\set ON_ERROR_STOP on",
    "SET client_min_messages = warning;",
    `SELECT 'CREATE DATABASE ${POSTGRES_DATABASE}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${POSTGRES_DATABASE}') \\gexec`,
    `\\connect ${POSTGRES_DATABASE}`,
    "SET client_min_messages = warning;",
    "SET log_statement = 'none';",
    "SET log_min_error_statement = 'panic';",
    "SET log_min_duration_statement = -1;",
    `REVOKE ALL ON DATABASE ${POSTGRES_DATABASE} FROM PUBLIC;`,
    "REVOKE ALL ON DATABASE postgres FROM PUBLIC;",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
    ...postgresRoles.flatMap((role) => roleSql(role, secretsDir)),
    // Schemas after all roles: a grant names roles on both sides.
    ...schemasSetupSql(),
    "",
  ].join("\n");
}
