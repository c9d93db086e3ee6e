import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { schemaGuardSql } from "../../../components/data/postgresGuard.ts";
import { postgresRoles, postgresSetupSql, schemasSetupSql } from "../../../components/data/postgresRoles.ts";
import { scramVerifier } from "../../../components/data/scram.ts";
import { randomText } from "../lib/values.ts";

const passwords = new Map<string, string>(postgresRoles.map(({ credential }) => [credential, randomText(24)]));
const verifiers = new Map(
  postgresRoles.map(({ role, credential }) => [
    credential,
    scramVerifier(role, passwords.get(credential) ?? "", "key"),
  ]),
);
const sql = postgresSetupSql(verifiers);
const statements = sql.split("\n");

describe("Postgres roles", () => {
  it("are one per service that needs Postgres, the exporter's, the backup's and the WAL archive's", () => {
    expect(postgresRoles.map(({ role }) => role)).toEqual([
      "gateway_api",
      "portfolio_ledger",
      "reporter",
      "exporter",
      "backup",
      "wal_archive",
    ]);
  });

  it("get their passwords as verifiers, and only where they have another one", () => {
    for (const { role, credential } of postgresRoles) {
      expect(sql).not.toContain(passwords.get(credential));
      const verifier = verifiers.get(credential);
      const asked = statements.findIndex((line) => line.includes(`rolpassword IS DISTINCT FROM '${verifier}'`));
      expect(statements.slice(asked + 1, asked + 6)).toEqual([
        "\\if :changed",
        `COMMENT ON ROLE ${role} IS 'password since infinity';`,
        `ALTER ROLE ${role} PASSWORD '${verifier}';`,
        expect.stringContaining(`COMMENT ON ROLE ${role} IS %L`),
        "\\endif",
      ]);
    }
    expect(() => postgresSetupSql(new Map())).toThrow(/gateway_api: has no verifier/);
  });

  it("show no verifier in the server's log or among its activities", () => {
    const first = statements.findIndex((line) => line.includes("SCRAM-SHA-256"));
    for (const line of ["SET log_statement = 'none';", "SET track_activities = off;"]) {
      const set = statements.lastIndexOf(line);
      expect(set).toBeGreaterThan(statements.findIndex((each) => each.startsWith("\\connect")));
      expect(set).toBeLessThan(first);
    }
    expect(sql).toContain("SET log_min_error_statement = 'panic';");
  });

  it("let the gateway and the reporter read the ledger, and nobody write it", () => {
    for (const reader of ["gateway_api", "reporter"]) {
      expect(sql).toContain(`GRANT SELECT ON ALL TABLES IN SCHEMA portfolio_ledger TO ${reader};`);
    }
    expect(sql).not.toMatch(/GRANT (ALL|INSERT|UPDATE|DELETE)/);
  });

  it("look bare names up in their own schema first, then in those that they read", () => {
    const paths = statements.filter((line) => line.includes("SET search_path = ") && line.startsWith("ALTER ROLE"));
    expect(paths).toEqual([
      "ALTER ROLE gateway_api SET search_path = gateway_api, portfolio_ledger;",
      "ALTER ROLE portfolio_ledger SET search_path = portfolio_ledger;",
      "ALTER ROLE reporter SET search_path = reporter, portfolio_ledger;",
    ]);
  });

  it("are guarded after all grants, by names of pg_catalog alone", () => {
    const guard = statements.findIndex((line) => line.startsWith("CREATE OR REPLACE FUNCTION public."));
    expect(guard).toBeGreaterThan(statements.findLastIndex((line) => line.startsWith("GRANT ")));
    expect(statements[guard]).toContain("SECURITY DEFINER SET search_path = pg_catalog, pg_temp");
    // A restore sets the schemas up before their rows are there, and the guard after them.
    expect(schemasSetupSql().join("\n")).not.toContain("EVENT TRIGGER");
    expect(schemaGuardSql().join("\n")).toContain("CREATE EVENT TRIGGER");
  });

  it("give nobody more than it needs", () => {
    const limits = statements.filter((line) => line.includes(" LOGIN "));
    expect(limits).toHaveLength(postgresRoles.length);
    for (const line of limits) expect(line).toContain("NOSUPERUSER NOCREATEDB NOCREATEROLE ");
    // The WAL archive copies the cluster, and may connect to no database.
    expect(limits.filter((line) => !line.includes(" NOREPLICATION "))).toEqual([
      expect.stringMatching(/^ALTER ROLE wal_archive LOGIN .* NOBYPASSRLS /),
    ]);
    expect(sql).not.toMatch(/GRANT CONNECT ON DATABASE \w+ TO wal_archive/);
    // The backup reads all rows all the same: so it asks no policy, which is code of the table's owner.
    expect(statements.filter((line) => line.includes(" BYPASSRLS"))).toEqual([
      expect.stringMatching(/^ALTER ROLE backup /),
    ]);
    expect(sql).toContain("REVOKE ALL ON SCHEMA public FROM PUBLIC;");
  });
});

describe("a verifier of a password", () => {
  it("is the one that RFC 7677's example of an exchange follows from", () => {
    // The server's signature of that exchange, by the keys of a verifier that has the example's salt and password.
    const text = scramVerifier("user", "pencil", "key", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"));
    const [, stored = "", server = ""] = /[$]([^$:]+):([^:]+)$/.exec(text) ?? [];
    const said =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const by = (key: Buffer) => createHmac("sha256", key).update(said).digest();
    expect(by(Buffer.from(server, "base64")).toString("base64")).toBe("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    const proof = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
    const signature = by(Buffer.from(stored, "base64"));
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
    expect(createHash("sha256").update(clientKey).digest("base64")).toBe(stored);
  });

  it("stays the same from run to run, and differs by role, password and key", () => {
    const password = randomText(16);
    const first = scramVerifier("a", password, "key");
    expect(scramVerifier("a", password, "key")).toBe(first);
    const others = [scramVerifier("b", password, "key"), scramVerifier("a", `${password}x`, "key")];
    expect(new Set([first, ...others, scramVerifier("a", password, "other")]).size).toBe(4);
  });

  it("is of the password as clients prepare it", () => {
    expect(scramVerifier("a", "\u2168\u00ad", "key")).toBe(scramVerifier("a", "IX", "key"));
  });
});
