import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { comparedFiles, comparisonLines, requireSame } from "../../../tools/lib/oldInstallation/compare.ts";
import { environmentFile, variablesOf } from "../../../tools/lib/oldInstallation/environment.ts";
import { filePlan } from "../../../tools/lib/oldInstallation/files.ts";
import { isInstallation, OldHost } from "../../../tools/lib/oldInstallation/host.ts";
import { redisPatterns } from "../../../tools/lib/oldInstallation/layout.ts";
import { belowInstallation } from "../../../tools/lib/oldInstallation/plan.ts";
import { type OldContainer, projectOf } from "../../../tools/lib/oldInstallation/project.ts";
import { type OldDatabase, ownersGiven, tablePlan } from "../../../tools/lib/oldInstallation/tables.ts";

const host = { path: "/opt/autollm", name: "/opt/autollm" };
const container = (service: string, more: Partial<OldContainer> = {}): OldContainer => ({
  ...{ id: service, project: "autollm", service, directory: "/opt/autollm", running: true },
  ...more,
});
const stores = [
  ...["postgres", "redis", "nats"].map((service) => container(service)),
  container("grafana", { running: false }),
];

describe("the old compose project", () => {
  it("is found by its directory, with its stores, and nothing is wrong", () => {
    const found = projectOf(host, [...stores, container("gateway_api", { running: false })]);
    expect(found).toMatchObject({ name: "autollm", faults: [] });
    expect(Object.keys(found.stores).sort()).toEqual(["grafana", "nats", "postgres", "redis"]);
    expect(
      projectOf(
        host,
        stores.map((each) => ({ ...each, directory: "/opt/autollm/infra" })),
      ).name,
    ).toBe("autollm");
  });

  it("is refused with everything that is wrong at once", () => {
    const { faults } = projectOf(host, [
      container("postgres", { running: false }),
      ...["nats", "nats", "execution_ib", "grafana"].map((service) => container(service)),
    ]);
    expect(faults.join("\n")).toMatch(/postgres does not run[\s\S]*no container of redis[\s\S]*2 containers of nats/);
    expect(faults.at(-1)).toBe(
      "2 containers of project autollm run that may write or trade: docker compose --project-name autollm stop execution_ib grafana",
    );
  });

  it("is named by the operator where there are several or none", () => {
    const other = container("postgres", { project: "other" });
    expect(() => projectOf(host, [...stores, other])).toThrow(
      "several projects: autollm, other; name one by --project",
    );
    expect(projectOf(host, [...stores, other], { project: "autollm" }).name).toBe("autollm");
    expect(() => projectOf({ ...host, path: "/opt/auto" }, stores)).toThrow("name one by --project: autollm");
    expect(() => projectOf(host, [])).toThrow("no project of docker compose");
  });
});

const table = (name: string, more: object = {}) => ({
  ...{ schema: "public", name, kind: "r", bytes: 8192, rows: 3, partOf: null },
  ...more,
});
const database: OldDatabase = {
  ...{ major: 15, version: "15.9", references: [], extensions: [], functions: 0, largeObjects: 0, sessions: [] },
  settings: [],
  relations: [
    table("executions"),
    table("executions_id_seq", { kind: "S", partOf: "executions" }),
    table("executions_2025", { partOf: "executions" }),
    table("positions"),
    table("notes"),
    table("exposure", { kind: "v" }),
    table("other", { schema: "private" }),
  ],
};

describe("the old tables", () => {
  it("go to their owner with what belongs to them, and the others stay", () => {
    const { moved, left, faults } = tablePlan(database);
    expect(faults).toEqual([]);
    expect(moved).toEqual([
      {
        ...{ owner: "portfolio-ledger", schema: "portfolio_ledger" },
        names: ["executions", "executions_id_seq", "executions_2025", "positions"],
      },
    ]);
    expect(left).toEqual([
      "table notes, about 3 rows: no service owns it (--table notes=SERVICE)",
      "view exposure, about 3 rows: no service owns it (--table exposure=SERVICE)",
      "private.other: it is outside schema public, where the old application's tables are",
    ]);
  });

  it("get an owner from the operator", () => {
    const { moved, left } = tablePlan(database, ownersGiven(["notes=gateway-api"]));
    expect(moved.map(({ owner }) => owner)).toEqual(["gateway-api", "portfolio-ledger"]);
    expect(left.join()).not.toContain("notes");
    expect(() => ownersGiven(["notes=llm-agents"])).toThrow("write TABLE=SERVICE, with one of gateway-api");
    expect(tablePlan(database, ownersGiven(["nothing=reporter"])).faults).toHaveLength(1);
  });

  it("are refused if one refers to what does not move with it, or something may still write", () => {
    const wrong = { ...database, references: [["executions", "notes"]] as const, sessions: ["psql"], major: 18 };
    expect(tablePlan(wrong).faults).toEqual([
      "the old Postgres is of version 18, and the stack runs 17",
      "still connected to the old Postgres: psql; stop them, as they may write",
      "table executions of portfolio-ledger refers to notes, which nobody owns: give both to one service, --table notes=portfolio-ledger",
    ]);
  });
});

describe("the old files", () => {
  const file = (path: string, type = "f") => ({ path, type, bytes: 10 });
  const volumes = new Set(["market-data", "reports"]);

  it("go to the volume that has a place for them", () => {
    const all = [
      "data/storage/old.duckdb",
      "data/storage/parquet/a.parquet",
      "reports/a/b.html",
      "data/kill_switch.flag",
    ];
    const { moved, left } = filePlan(
      all.map((path) => file(path)),
      volumes,
      ["data/kill_switch.flag"],
    );
    expect(moved.map(({ volume, to }) => `${volume} ${to}`)).toEqual([
      "market-data features.duckdb",
      "market-data parquet/a.parquet",
      "reports a/b.html",
    ]);
    expect(left).toEqual([]);
  });

  it("stay, each folder with its reason, if nothing has a place for them", () => {
    const { moved, left } = filePlan(
      [
        file("data/models", "d"),
        file("data/models/a"),
        file("data/models/b"),
        file("data/users.json"),
        file("reports/x", "l"),
      ],
      volumes,
      [],
    );
    expect(moved).toEqual([]);
    expect(left).toEqual([
      "data/models: nothing here has a place for it (2 files, 20 B)",
      "data/users.json: the stack has no volume app-gateway-api-app-data: no image that needs it is pinned (a file, 10 B)",
      "reports/x: is no plain file (a file, 10 B)",
    ]);
  });

  it("keep their names where there are several databases", () => {
    const { moved } = filePlan([file("data/storage/a.duckdb"), file("data/storage/b.duckdb")], volumes, []);
    expect(moved.map(({ to }) => to)).toEqual(["a.duckdb", "b.duckdb"]);
  });
});

describe("the old installation's place", () => {
  it("is a directory or an address, and no file", () => {
    expect([isInstallation("/"), isInstallation("ssh://a@b/c"), isInstallation("package.json")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(OldHost.of("ssh://ops@old.example:2222/opt/autollm/").name).toBe("ops@old.example:/opt/autollm");
    for (const word of ["ssh://old.example", "ssh://-oProxyCommand=x/opt", "ssh://a b/c"])
      expect(() => OldHost.of(word), word).toThrow("write ssh://USER@HOST/DIRECTORY");
  });

  it("has one file of variables", async () => {
    const folder = mkdtempSync(join(tmpdir(), "old-place-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const place = OldHost.of(folder);
    await expect(environmentFile(place)).rejects.toThrow("neither .env nor .env.enc");
    writeFileSync(join(folder, ".env"), "A=1\n");
    expect(await environmentFile(place)).toEqual({ name: ".env", text: "A=1\n" });
    writeFileSync(join(folder, ".env.enc"), "x");
    await expect(environmentFile(place)).rejects.toThrow("move the one away that is not current");
  });

  it("names its kill switch by a path of its containers, of the host, or beside it", () => {
    for (const path of ["/app/data/off", "/opt/autollm/data/off", "./data/off", "data/off", "/data/off"])
      expect(belowInstallation(path, "/opt/autollm"), path).toBe("data/off");
    const found = variablesOf(`RISK='{"kill_switch_file":"/app/data/x"}'\nAUTH={"jwt_secret":"s"}\nREDIS_DB=2\n`);
    expect(Object.fromEntries(found)).toMatchObject({ "RISK.kill_switch_file": "/app/data/x", REDIS_DB: "2" });
  });

  it("has keys of Redis that the services own", () => {
    expect(redisPatterns).toEqual(expect.arrayContaining(["market:*", "risk:*", "LIMITER/*"]));
  });
});

describe("the comparison", () => {
  it("names what differs", () => {
    const saved = ["a", "b"].map((name) => ({ path: `volumes/reports/${name}`, bytes: 1, sha256: name }));
    const now = [
      { path: "reports/a", bytes: 1, sha256: "a" },
      { path: "reports/b", bytes: 1, sha256: "other" },
    ];
    const rows = comparedFiles(saved, now);
    expect(comparisonLines(rows).at(-1)).toBe("  volume reports  2 files  1 files  DIFFERS");
    expect(() => requireSame(rows)).toThrow("volume reports (2 files; now 1 files)");
    expect(() => requireSame(comparedFiles(saved.slice(0, 1), now))).not.toThrow();
  });
});
