/** The role whose owner has turned on the others. */
export const HOSTILE_ROLE = "gateway_api";
/** What would be there if its code had run a program, in whichever container. */
export const PROOF = "/tmp/hostile";
/** What its code writes into the server's log: the way in which it was run, and as whom. */
export const HOSTILE_LINE = /hostile (\w+) as (\w+)\/(\w+)/g;

const functionsOf = (role: string) => `
CREATE FUNCTION ran(kind text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  RAISE LOG 'hostile % as %/%', kind, current_user, session_user;
  BEGIN
    EXECUTE $q$COPY (SELECT 1) TO PROGRAM 'touch ${PROOF}'$q$;
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  RETURN true;
END $$;
CREATE FUNCTION ran_immutable(kind text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
  RETURN ${role}.ran(kind);
END $$;
CREATE FUNCTION ran_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM ${role}.ran('trigger');
  RETURN NEW;
END $$;`;

/** Ways in which a table's owner has code run by a role that reads, dumps, restores or sums the table. */
const waysOf = (role: string): Readonly<Record<string, string>> => ({
  check: "CREATE TABLE h_check (x int CHECK (ran('check')))",
  domain: "CREATE DOMAIN h_int AS int CHECK (ran('domain')); CREATE TABLE h_domain (x h_int)",
  cast: `CREATE TABLE h_cast (x int);
    CREATE FUNCTION row_text(h_cast) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM ${role}.ran('cast'); RETURN ''; END $$;
    CREATE CAST (h_cast AS text) WITH FUNCTION row_text(h_cast) AS IMPLICIT`,
  index: "CREATE TABLE h_index (x int); CREATE INDEX ON h_index (x) WHERE ran_immutable('index')",
  statistics:
    "CREATE TABLE h_statistics (x int); CREATE STATISTICS h_s ON x, (ran_immutable('statistics')) FROM h_statistics",
  generated: "CREATE TABLE h_generated (x int, y boolean GENERATED ALWAYS AS (ran_immutable('generated')) STORED)",
  trigger: `CREATE TABLE h_trigger (x int);
    CREATE TRIGGER t BEFORE INSERT ON h_trigger FOR EACH ROW EXECUTE FUNCTION ran_trigger();
    ALTER TABLE h_trigger ENABLE ALWAYS TRIGGER t`,
  rule: "CREATE TABLE h_rule (x int); CREATE RULE r AS ON INSERT TO h_rule DO ALSO SELECT ran('rule')",
  policy: `CREATE TABLE h_policy (x int); CREATE POLICY p ON h_policy USING (ran('policy'));
    ALTER TABLE h_policy ENABLE ROW LEVEL SECURITY; ALTER TABLE h_policy FORCE ROW LEVEL SECURITY`,
  default: "CREATE TABLE h_default (x int, y boolean DEFAULT ran('default'))",
});

/** In place of what pg_catalog has: for a role that looks a name up without saying where. */
const SHADOWS = `
CREATE FUNCTION sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT CASE WHEN ran('shadow') THEN pg_catalog.sha256($1) END $$;
CREATE FUNCTION textcat_hostile(text, text) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN ran('operator') THEN $1 END $$;
CREATE OPERATOR || (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat_hostile);
CREATE MATERIALIZED VIEW h_materialized AS SELECT ran('materialized');
CREATE VIEW h_view AS SELECT ran('view');`;

export const hostileWays = Object.keys(waysOf(HOSTILE_ROLE));

/** Makes all of it in a role's schema, with one row in each table; run as that role. */
export const hostileSqlOf = (role: string) =>
  [
    `SET search_path = ${role};`,
    functionsOf(role),
    ...Object.entries(waysOf(role)).map(([kind, sql]) => `${sql}; INSERT INTO h_${kind} (x) VALUES (1);`),
    SHADOWS,
    "",
  ].join("\n");

export const hostileSql = hostileSqlOf(HOSTILE_ROLE);
