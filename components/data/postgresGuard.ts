import { serviceNames, services, underscored } from "../platform/catalogue.ts";

/** A service's schema that another service reads. */
interface Reading {
  readonly reader: string;
  readonly owner: string;
}

const readings: readonly Reading[] = serviceNames.flatMap((service) =>
  (services[service].readsTablesOf ?? []).map((owner) => ({
    reader: underscored(service),
    owner: underscored(owner),
  })),
);

/**
 * Tables in which a migration tool records what it has done, and their columns. Such a tool checks whether a table of that name
 * exists, not whose it is; so a reader gets its own as soon as the owner has one.
 */
export const migrationTables: Readonly<Record<string, string>> = {
  alembic_version:
    "version_num character varying(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)",
};

/** How long the guard waits for another session's lock. It then gives up, and retries at the next change of any schema. */
const LOCK_WAIT = "3s";
/** Two changes of schemas see each other by this lock. */
export const GUARD_LOCK = 0x61_75_74_6f;
/** Privileges that let another role's statement run the code of a table's owner, its triggers, unasked. */
const BEYOND_SELECT = "INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER";

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const values = (rows: readonly (readonly string[])[]) =>
  rows.map((row) => `(${row.map(literal).join(", ")})`).join(", ");

/**
 * The guard: statements of PL/pgSQL that run with the superuser's rights after each change of a schema. They look names up in
 * pg_catalog alone, and read no table of a service, so that they run nobody's code.
 */
function guardBody(): string {
  const owners = [...new Set(readings.map(({ owner }) => owner))];
  const hasColumns = "attnum > 0 AND NOT attisdropped";
  return `DECLARE
  found record;
BEGIN
  -- What follows changes schemas too, and so comes here again: each of its steps may be repeated.
  BEGIN
    PERFORM pg_advisory_xact_lock(${GUARD_LOCK});
  EXCEPTION WHEN lock_not_available OR deadlock_detected THEN NULL;
  END;

  -- A function runs with the rights of whoever calls it, and a reader may call one without meaning to: by a view, or by a name.
  -- Of a chain of grants the owner's is the first, and takes the others with it.
  FOR found IN
    SELECT DISTINCT n.nspname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
      aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE n.nspname IN (${owners.map(literal).join(", ")}) AND a.grantee <> p.proowner AND a.grantor = p.proowner
  LOOP
    EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA %I FROM %s CASCADE', found.nspname, found.grantee);
  END LOOP;

  FOR found IN
    SELECT DISTINCT n.nspname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attribute t ON t.attrelid = c.oid AND t.attacl IS NOT NULL,
      aclexplode(nullif(coalesce(c.relacl, '{}') || coalesce(t.attacl, '{}'), '{}')) a
    WHERE n.nspname IN (${owners.map(literal).join(", ")}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND a.grantee <> c.relowner AND a.grantor = c.relowner AND a.privilege_type IN (${BEYOND_SELECT.split(", ").map(literal).join(", ")})
  LOOP
    EXECUTE format('REVOKE ${BEYOND_SELECT} ON ALL TABLES IN SCHEMA %I FROM %s CASCADE', found.nspname, found.grantee);
  END LOOP;

  FOR found IN
    SELECT r.reader, t.name, t.columns
    FROM (VALUES ${values(readings.map(({ reader, owner }) => [reader, owner]))}) r (reader, owner),
      (VALUES ${values(Object.entries(migrationTables))}) t (name, columns)
    WHERE EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = r.owner AND c.relname = t.name)
      AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = r.reader AND c.relname = t.name)
  LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I.%I (%s)', found.reader, found.name, found.columns);
    EXECUTE format('ALTER TABLE %I.%I OWNER TO %I', found.reader, found.name, found.reader);
  END LOOP;

  -- A copy has the owner's name for it, no column that the owner's lacks, and never held a row.
  FOR found IN
    SELECT r.reader, r.owner, copy.relname AS name
    FROM (VALUES ${values(readings.map(({ reader, owner }) => [reader, owner]))}) r (reader, owner)
      JOIN pg_namespace rn ON rn.nspname = r.reader
      JOIN pg_class copy ON copy.relnamespace = rn.oid AND copy.relkind = 'r'
      JOIN pg_namespace wn ON wn.nspname = r.owner
      JOIN pg_class whole ON whole.relnamespace = wn.oid AND whole.relname = copy.relname AND whole.relkind IN ('r', 'p', 'v', 'm')
    WHERE copy.relname NOT IN (${Object.keys(migrationTables).map(literal).join(", ")})
      AND pg_relation_size(copy.oid) = 0
      AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = copy.oid AND ${hasColumns})
      AND NOT EXISTS (
        SELECT FROM pg_attribute c WHERE c.attrelid = copy.oid AND ${hasColumns}
          AND NOT EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = whole.oid AND w.attname = c.attname AND ${hasColumns.replaceAll("att", "w.att")})
      )
  LOOP
    BEGIN
      EXECUTE format('DROP TABLE IF EXISTS %I.%I', found.reader, found.name);
      RAISE NOTICE '%.% is gone: it was an empty copy of %.%', found.reader, found.name, found.owner, found.name;
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR dependent_objects_still_exist OR object_in_use THEN
      RAISE WARNING '%.% hides %.%, and stays: %', found.reader, found.name, found.owner, found.name, SQLERRM;
    END;
  END LOOP;
END`;
}

const GUARD = "public.autollm_schema_guard";
const SETTINGS = [`search_path = pg_catalog, pg_temp`, `lock_timeout = '${LOCK_WAIT}'`] as const;

/**
 * Statements for psql, run as superuser in the database of the services: what keeps a reader's way to an owner's tables short and
 * safe (docs/decisions.md). In a database that is restored they run last: until its rows are there, every table is an empty copy.
 */
export function schemaGuardSql(): string[] {
  if (readings.length === 0) return [];
  const body = guardBody();
  return [
    `CREATE OR REPLACE FUNCTION ${GUARD}() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER ${SETTINGS.map((each) => `SET ${each}`).join(" ")} AS $guard$`,
    body,
    "$guard$;",
    `SELECT 'CREATE EVENT TRIGGER autollm_schema_guard ON ddl_command_end EXECUTE FUNCTION ${GUARD}()' WHERE NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'autollm_schema_guard') \\gexec`,
    "BEGIN;",
    ...SETTINGS.map((each) => `SET LOCAL ${each};`),
    "DO $guard$",
    body,
    "$guard$;",
    "COMMIT;",
  ];
}
