import type { ServiceName } from "../../../components/platform/catalogue.ts";
import { quoted, RowSum, readerSettings, type TableSum } from "../../../services/backup/src/tables.ts";
import { UserError } from "../log.ts";
import { dockerWords, type OldHost } from "./host.ts";
import { schemaOf, tableOwners, tableServices } from "./layout.ts";
import type { OldContainer } from "./project.ts";

/** The schema that the old application's tables are in. */
export const OLD_SCHEMA = "public";
/** Postgres of the stack: an older one's data can be restored into it. */
export const NEWEST_MAJOR = 17;

/** A table, view or sequence of the old database. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
  /** As in pg_class: r table, p partitioned, v view, m materialized view, f foreign table, S sequence. */
  readonly kind: string;
  readonly bytes: number;
  /** What Postgres estimates; fewer than 0 if it never counted. */
  readonly rows: number;
  /** The table that it is a part of: of a partition, the whole; of a sequence, the table whose column it counts. */
  readonly partOf: string | null;
}

export interface OldDatabase {
  readonly major: number;
  readonly version: string;
  readonly relations: readonly Relation[];
  /** Foreign keys between two tables of the schema: each table that refers, and the one it refers to. */
  readonly references: readonly (readonly [from: string, to: string])[];
  readonly extensions: readonly string[];
  readonly functions: number;
  readonly largeObjects: number;
  /** Programs that are connected besides this one. */
  readonly sessions: readonly string[];
  /** Settings of a reading session that this version knows. */
  readonly settings: readonly string[];
}

/** Catalogs alone: nothing that it asks runs the code of a table's owner. */
const factsSql = `SELECT json_build_object(
  'major', current_setting('server_version_num')::int / 10000, 'version', current_setting('server_version'),
  'relations', (SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
      'bytes', pg_total_relation_size(c.oid), 'rows', c.reltuples,
      'partOf', (SELECT p.relname FROM pg_class p WHERE p.oid = coalesce(
        (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid LIMIT 1),
        (SELECT refobjid FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass
          AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i') AND c.relkind = 'S' LIMIT 1)))) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')),
  'references', (SELECT coalesce(json_agg(DISTINCT jsonb_build_array(f.relname, t.relname)), '[]')
    FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
    WHERE k.contype = 'f' AND f.relnamespace = '${OLD_SCHEMA}'::regnamespace),
  'extensions', (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension WHERE extname <> 'plpgsql'),
  'functions', (SELECT count(*) FROM pg_proc p WHERE p.pronamespace = '${OLD_SCHEMA}'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')),
  'largeObjects', (SELECT count(*) FROM pg_largeobject_metadata),
  'sessions', (SELECT coalesce(json_agg(DISTINCT coalesce(nullif(application_name, ''), 'a program without a name')), '[]')
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()),
  'settings', (SELECT json_agg(name) FROM pg_settings WHERE name IN (${Object.keys(readerSettings)
    .map((name) => `'${name}'`)
    .join(", ")})));`;

/** A shell script inside the old container: its own variables name user and database, so that no password leaves it. */
const inside = (program: string, args: string) =>
  `export PGPASSWORD="\${POSTGRES_PASSWORD-}" PGAPPNAME=autollm; exec ${program} --username="\${POSTGRES_USER:-postgres}" --dbname="\${POSTGRES_DB:-\${POSTGRES_USER:-postgres}}" ${args}`;

const psql = ({ id }: OldContainer) =>
  dockerWords(
    ...["exec", "--interactive", id, "sh", "-c"],
    inside("psql", "--no-psqlrc --quiet --tuples-only --no-align --no-password --set=ON_ERROR_STOP=1"),
  );

export async function databaseOf(host: OldHost, container: OldContainer): Promise<OldDatabase> {
  const input = `SET search_path = pg_catalog;\n${factsSql}\n`;
  const { code, stdout, stderr } = await host.run(psql(container), { input, allowFailure: true });
  if (code !== 0)
    throw new UserError(`the old Postgres cannot be read: ${stderr.trim().split("\n").at(-1) ?? `exit code ${code}`}`);
  return JSON.parse(stdout) as OldDatabase;
}

/** What moves into one service's schema. */
export interface MovedSchema {
  readonly owner: ServiceName;
  readonly schema: string;
  /** Names of tables, and of what belongs to them. */
  readonly names: readonly string[];
}

export interface TablePlan {
  readonly moved: readonly MovedSchema[];
  /** What stays behind, each with the reason. */
  readonly left: readonly string[];
  readonly faults: readonly string[];
}

const KINDS: Readonly<Record<string, string>> = {
  v: "view",
  m: "materialized view",
  f: "foreign table",
  S: "sequence",
};

/** Owners that the operator gave: `TABLE=SERVICE`. @throws for a service that owns no tables */
export function ownersGiven(words: readonly string[]): Readonly<Record<string, ServiceName>> {
  return Object.fromEntries(
    words.map((word) => {
      const [, table = "", name = ""] = /^(.+)=([^=]+)$/.exec(word) ?? [];
      const service = tableServices.find((each) => each === name);
      if (service === undefined)
        throw new UserError(`--table ${word}: write TABLE=SERVICE, with one of ${tableServices.join(", ")}`);
      return [table, service] as const;
    }),
  );
}

/** Which table goes to which service, and what stays behind. */
export function tablePlan(database: OldDatabase, given: Readonly<Record<string, ServiceName>> = {}): TablePlan {
  const { relations, references } = database;
  const own = relations.filter(({ schema }) => schema === OLD_SCHEMA);
  const byName = new Map(own.map((each) => [each.name, each]));
  const owners = { ...tableOwners, ...given };
  const ownerOf = (name: string): ServiceName | undefined => {
    if (Object.hasOwn(owners, name)) return owners[name];
    const whole = byName.get(name)?.partOf;
    return whole == null ? undefined : ownerOf(whole);
  };
  const faults: string[] = [];
  if (database.major > NEWEST_MAJOR)
    faults.push(`the old Postgres is of version ${database.major}, and the stack runs ${NEWEST_MAJOR}`);
  if (database.sessions.length > 0)
    faults.push(`still connected to the old Postgres: ${database.sessions.join(", ")}; stop them, as they may write`);
  for (const name of Object.keys(given))
    if (!byName.has(name)) faults.push(`--table ${name}: the old database has no such table in schema ${OLD_SCHEMA}`);
  for (const [from, to] of references) {
    const [owner, other] = [ownerOf(from), ownerOf(to)];
    if (owner !== undefined && owner !== other)
      faults.push(
        `table ${from} of ${owner} refers to ${to}, which ${other === undefined ? "nobody owns" : `${other} owns`}: give both to one service, --table ${to}=${owner}`,
      );
  }
  const moved = tableServices
    .map((owner) => ({
      ...{ owner, schema: schemaOf(owner) },
      names: own.map(({ name }) => name).filter((name) => ownerOf(name) === owner),
    }))
    .filter(({ names }) => names.length > 0);
  const left = [
    ...own
      .filter(({ name, partOf }) => ownerOf(name) === undefined && partOf === null)
      .map(
        ({ name, kind, rows }) =>
          `${KINDS[kind] ?? "table"} ${name}${rows > 0 ? `, about ${rows} rows` : ""}: no service owns it (--table ${name}=SERVICE)`,
      ),
    ...relations
      .filter(({ schema, kind }) => schema !== OLD_SCHEMA && kind !== "S")
      .map(
        ({ schema, name }) =>
          `${schema}.${name}: it is outside schema ${OLD_SCHEMA}, where the old application's tables are`,
      ),
    ...(database.extensions.length > 0 ? [`extensions of Postgres: ${database.extensions.join(", ")}`] : []),
    ...(database.largeObjects > 0 ? [`${database.largeObjects} large objects of Postgres`] : []),
  ];
  return { moved, left, faults };
}

/** The settings of a session that reads tables, as far as the old version knows them. */
const readerSql = ({ settings }: OldDatabase) =>
  Object.entries(readerSettings)
    .filter(([name]) => settings.includes(name))
    .map(([name, value]) => `SET ${name} = '${value}';`);

/** Counts and sums the old tables of a schema, under the names that they have in the stack. */
export async function oldSums(
  host: OldHost,
  container: OldContainer,
  database: OldDatabase,
  { names, schema }: MovedSchema,
): Promise<TableSum[]> {
  const tables = database.relations.filter(
    (each) => each.schema === OLD_SCHEMA && each.kind === "r" && names.includes(each.name),
  );
  const sums: TableSum[] = [];
  for (const { name } of tables) {
    const sum = new RowSum();
    const input = [...readerSql(database), `COPY ${quoted(OLD_SCHEMA)}.${quoted(name)} TO STDOUT;`, ""].join("\n");
    for await (const chunk of host.read(psql(container), input)) sum.add(chunk);
    sums.push(sum.of(schema, name));
  }
  return sums.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The shell script that dumps what moves into one schema, by the old server's own program. */
export function dumpScript({ id }: OldContainer, { relations }: OldDatabase, { names }: MovedSchema): string {
  const others = relations.filter(({ schema, name }) => schema === OLD_SCHEMA && !names.includes(name));
  const excluded = others.map(({ name }) => `--exclude-table=${quoted(OLD_SCHEMA)}.${quoted(name)}`);
  const options = [
    ...["--format=custom", "--no-owner", "--no-privileges", "--no-password"],
    ...[`--schema=${quoted(OLD_SCHEMA)}`, ...excluded],
  ];
  return dockerWords("exec", id, "sh", "-c", inside("pg_dump", '"$@"'), "sh", ...options);
}
