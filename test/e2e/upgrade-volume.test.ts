import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresVersionScript } from "../../components/data/postgresVersion.ts";
import type { Manifest } from "../../services/backup/src/manifest.ts";
import { ensureDocker } from "../../tools/bootstrap/docker/docker.ts";
import { run } from "../../tools/lib/run.ts";
import { ClusterFolders, UPGRADED } from "../../tools/lib/upgrade/clusters.ts";
import { fillNewCluster } from "../../tools/lib/upgrade/newCluster.ts";
import { tryNewVersion } from "../../tools/lib/upgrade/trial.ts";
import { imagesHere } from "./lib/images.ts";
import { FORMER_MAJOR, NEWER_MAJOR, newerCheckout, newerImage } from "./lib/newerPostgres.ts";
import { PostgresVolume } from "./lib/postgresVolume.ts";
import { docker } from "./lib/stack.ts";

/** What a service may have: its own types, code that must never run as the superuser, and a table that another role reads. */
const SCHEMA = `SET ROLE portfolio_ledger;
CREATE TYPE portfolio_ledger.side AS ENUM ('buy', 'sell');
CREATE FUNCTION portfolio_ledger.plain(id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('is_superuser') = 'on' THEN RAISE EXCEPTION 'the superuser runs code of a service'; END IF;
  RETURN id;
END $$;
CREATE TABLE portfolio_ledger.fills (id serial PRIMARY KEY, side portfolio_ledger.side NOT NULL, price numeric(20, 8), at timestamptz,
  raw jsonb, twice numeric GENERATED ALWAYS AS (price * 2) STORED);
INSERT INTO portfolio_ledger.fills (side, price, at, raw)
  SELECT (ARRAY['buy', 'sell'])[1 + n % 2]::portfolio_ledger.side, n / 7.0, timestamptz '2026-01-01' + n * interval '1 minute',
    jsonb_build_object('n', n, 'text', E'tab\\tline\\nquote"') FROM generate_series(1, 20000) n;
CREATE INDEX ON portfolio_ledger.fills (portfolio_ledger.plain(id));
CREATE VIEW portfolio_ledger.newest AS SELECT max(at) FROM portfolio_ledger.fills;
RESET ROLE;
`;
const COUNT = "SELECT count(*) || ' ' || sum(price) || ' ' || sum(twice) FROM portfolio_ledger.fills;";

describe(`Postgres ${FORMER_MAJOR}'s data`, () => {
  const home = mkdtempSync(join(tmpdir(), "autollm-newer-"));
  let newer = "";
  let newerId = "";
  let postgres: PostgresVolume;
  let folders: ClusterFolders;
  let count = "";
  let saved: Awaited<ReturnType<PostgresVolume["save"]>>;

  const fill = (manifest = saved.manifest) =>
    fillNewCluster({
      ...{ volume: postgres.volume, former: postgres.container, image: newerId },
      ...{ source: saved.source, manifest },
    });
  const swap = async () => {
    await postgres.stop();
    await folders.swap(FORMER_MAJOR, "postgres:former");
  };
  const left = () => docker("ps", "--all", "--quiet", "--filter", `label=autollm.upgrade=${postgres.daemon.stack}`);

  beforeAll(async () => {
    await ensureDocker({ install: process.env.CI === "true" });
    const clone = join(home, "clone");
    await newerCheckout(clone);
    newer = await newerImage(clone);
    newerId = await docker("image", "inspect", "--format", "{{.Id}}", newer);
    postgres = new PostgresVolume((await imagesHere(["postgres"])).postgres);
    folders = new ClusterFolders(postgres.volume);
  });
  afterAll(async () => {
    await postgres?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  const claim = async (image: string) => {
    const script = postgresVersionScript({
      ...{ dockerSocket: "unix:///var/run/docker.sock", stack: "staging", user: "70:70" },
      ...{ imageId: image, reference: image, volume: postgres.volume.name },
    });
    return run("sh", ["-c", script], { allowFailure: true });
  };

  test("may be none yet: a new volume is accepted, and is its user's afterwards", async () => {
    await docker("volume", "create", postgres.volume.name);
    expect((await claim(newer)).code).toBe(0);
    expect(await postgres.start()).toBe(true);
    await postgres.sql(SCHEMA);
    count = await postgres.sql(COUNT);
    saved = await postgres.save();
  });

  test(`are refused to ${NEWER_MAJOR} before anything is touched, and are accepted by their own version`, async () => {
    const before = await docker("inspect", "--format", "{{.State.StartedAt}}", postgres.container);
    const { code, stderr } = await claim(newer);
    expect(code).toBe(1);
    expect(stderr.trim()).toBe(
      `postgres: its image ${newer} has Postgres ${NEWER_MAJOR}, and the volume ${postgres.volume.name} has data of Postgres ${FORMER_MAJOR}, on which that does not start. Postgres was not touched. To bring the data to that version: ./autollm upgrade --stack staging (docs/backup.md, Another major version of a store)`,
    );
    expect((await claim(postgres.volume.image)).code).toBe(0);
    expect(await docker("inspect", "--format", "{{.State.StartedAt}}", postgres.container)).toBe(before);
    expect(await postgres.sql(COUNT)).toBe(count);
  });

  describe("stay as they are", () => {
    beforeEach(async () => {
      expect(await folders.look()).toMatchObject({ data: FORMER_MAJOR, kept: [] });
    });

    const unharmed = async () => {
      expect(await postgres.sql(COUNT)).toBe(count);
      expect(await left()).toBe("");
      await folders.settle();
      expect(await postgres.onVolume("ls -d pgdata*")).toBe("pgdata");
    };

    test("where a dump cannot be restored", async () => {
      const makeWhole = postgres.cut("portfolio_ledger");
      await expect(fill()).rejects.toThrow(/schema portfolio_ledger cannot be restored as its owner portfolio_ledger/);
      makeWhole();
      await unharmed();
    });

    test("where a table has other rows than were saved", async () => {
      const { schemas } = saved.manifest.postgres;
      const other = schemas.map((each) => ({
        ...each,
        tables: each.tables.map((table) => ({ ...table, checksum: `${table.checksum}1` })),
      }));
      const manifest: Manifest = { ...saved.manifest, postgres: { ...saved.manifest.postgres, schemas: other } };
      await expect(fill(manifest)).rejects.toThrow(/portfolio_ledger.fills has other rows than were saved/);
      await unharmed();
    });

    test("where something would be lost that no dump holds", async () => {
      await postgres.sql("ALTER ROLE portfolio_ledger SET statement_timeout = '7s';");
      await expect(fill()).rejects.toThrow(/setting of role portfolio_ledger: statement_timeout=7s/);
      await postgres.sql("ALTER ROLE portfolio_ledger RESET statement_timeout;");
      await unharmed();
    });

    test("where the new version does not start on the new cluster, after which the former one is put back", async () => {
      await fill();
      await postgres.onVolume(`echo 'no_such_setting = 1' >>${UPGRADED}/postgresql.auto.conf`);
      await swap();
      await expect(tryNewVersion(postgres.daemon, postgres.container, newerId)).rejects.toThrow(/no_such_setting/);
      expect(await folders.imageOf(FORMER_MAJOR)).toBe("postgres:former");
      await folders.swapBack(FORMER_MAJOR);
      expect(await postgres.start()).toBe(true);
      await unharmed();
    });

    test.each([
      ["before the folders change places", "true"],
      ["between the two", "mv pgdata pgdata.replaced"],
      ["while the new one is filled", `rm -r ${UPGRADED}/global`],
    ])("where an upgrade is killed %s", async (_, script) => {
      await fill();
      await postgres.stop();
      await postgres.onVolume(script);
      // Postgres's own start, without any command of the project's.
      expect(await postgres.start()).toBe(true);
      await unharmed();
    });

    test.each([
      ["at its first step", 'mv "pgdata.17" pgdata.replaced', NEWER_MAJOR],
      ["between the two", 'mv "pgdata.17" pgdata.replaced; mv pgdata pgdata.failed', FORMER_MAJOR],
    ])("where the way back is killed %s", async (_, script, data) => {
      await fill();
      await swap();
      await postgres.onVolume(script);
      expect(await folders.look()).toMatchObject({ data });
      await folders.settle();
      if (data === NEWER_MAJOR) await folders.swapBack(FORMER_MAJOR);
      expect(await postgres.start()).toBe(true);
      await unharmed();
    });
  });

  test(`become ${NEWER_MAJOR}'s: every row, by its owner, with the passwords and with checksums of the pages`, async () => {
    const passwords =
      "SELECT string_agg(rolname || rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname !~ '^pg_';";
    const before = await postgres.sql(passwords);
    await fill();
    await swap();
    await tryNewVersion(postgres.daemon, postgres.container, newerId);
    expect(await folders.look()).toMatchObject({ data: NEWER_MAJOR, kept: [{ major: FORMER_MAJOR }] });
    expect((await claim(newer)).code).toBe(0);
    expect((await claim(postgres.volume.image)).stderr).toContain("Data is never brought to an older version");
    expect(await postgres.start(newer)).toBe(true);
    expect(await postgres.sql("SHOW server_version_num;")).toMatch(new RegExp(`^${NEWER_MAJOR}`));
    expect(await postgres.sql(COUNT)).toBe(count);
    expect(await postgres.sql(passwords)).toBe(before);
    expect(await postgres.sql("SHOW data_checksums;")).toBe("on");
    expect(
      await postgres.sql(
        "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'portfolio_ledger';",
      ),
    ).toBe("portfolio_ledger");
    expect(await postgres.sql("SELECT nextval('portfolio_ledger.fills_id_seq');")).toBe("20001");
    expect(await postgres.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1;")).toBe(
      "autollm\npostgres",
    );
    expect(await left()).toBe("");
  });

  test("are kept until they are removed", async () => {
    await folders.removeKept(FORMER_MAJOR);
    expect(await postgres.onVolume("ls -d pgdata*")).toBe("pgdata");
    expect(await postgres.sql(COUNT)).toBe(count);
  });
});
