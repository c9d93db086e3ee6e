import { quoted } from "./tables.ts";

/** Roles, and the schemas of others whose tables each may select from. */
export type Reads = Readonly<Record<string, readonly string[]>>;

export interface OwnedSchema {
  readonly schema: string;
  readonly owner: string;
}

/** Those first that others read: a view of another's tables can be made only when they are there. */
export function inOrder<T extends OwnedSchema>(schemas: readonly T[], reads: Reads): T[] {
  const depth = (schema: string, seen: readonly string[] = []): number => {
    const owner = schemas.find((each) => each.schema === schema)?.owner ?? schema;
    const read = (reads[owner] ?? []).filter((other) => other !== schema && !seen.includes(other));
    return Math.max(0, ...read.map((other) => 1 + depth(other, [...seen, schema])));
  };
  return schemas.toSorted((a, b) => depth(a.schema) - depth(b.schema) || (a.schema < b.schema ? -1 : 1));
}

const ORDINARY = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION";

/** Makes the roles of a server that is thrown away: who owns a schema, the reader, and those whom somebody may have granted something. */
export function rolesSql(schemas: readonly OwnedSchema[], reader: string, others: readonly string[]): string {
  const owners = [...new Set([...schemas.map(({ owner }) => owner), ...others])].filter((role) => role !== reader);
  return [
    ...owners.map((role) => `CREATE ROLE ${quoted(role)} ${ORDINARY} NOBYPASSRLS;`),
    `CREATE ROLE ${quoted(reader)} ${ORDINARY} BYPASSRLS;`,
    `GRANT pg_read_all_data TO ${quoted(reader)};`,
  ].join("\n");
}

/** Makes the schemas of an empty database, with what each role may read; all else is closed. */
export function schemasSql(database: string, schemas: readonly OwnedSchema[], reads: Reads, reader: string): string {
  const roles = [...new Set([...schemas.map(({ owner }) => owner), reader])];
  const there = new Set(schemas.map(({ schema }) => schema));
  const ownerOf = (schema: string) => schemas.find((each) => each.schema === schema)?.owner ?? schema;
  return [
    `REVOKE ALL ON DATABASE ${quoted(database)} FROM PUBLIC;`,
    "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
    `GRANT CONNECT ON DATABASE ${quoted(database)} TO ${roles.map(quoted).join(", ")};`,
    ...schemas.map(({ schema, owner }) => `CREATE SCHEMA ${quoted(schema)} AUTHORIZATION ${quoted(owner)};`),
    ...schemas.flatMap(({ owner }) =>
      (reads[owner] ?? [])
        .filter((schema) => there.has(schema))
        .flatMap((schema) => [
          `GRANT USAGE ON SCHEMA ${quoted(schema)} TO ${quoted(owner)};`,
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoted(ownerOf(schema))} IN SCHEMA ${quoted(schema)} GRANT SELECT ON TABLES TO ${quoted(owner)};`,
        ]),
    ),
  ].join("\n");
}

/** What restores one schema, as the role that owns it: nothing that it brings can do more than that role may. */
export const restoreArgs = (owner: string, schema: string, database: string) => [
  ...[`--username=${owner}`, `--dbname=${database}`, `--schema=${schema}`, "--no-owner", "--no-password"],
  ...["--exit-on-error", "--single-transaction"],
];
