import { describe, expect, it } from "vitest";
import { postgresRoles, postgresSetupSql } from "../../components/data/postgres-roles.ts";

const sql = postgresSetupSql("/run/secrets");
const statements = sql.split("\n");

describe("Postgres roles", () => {
  it("are one a service that needs Postgres, the exporter and the backup", () => {
    expect(postgresRoles.map(({ role }) => role)).toEqual([
      "gateway_api",
      "portfolio_ledger",
      "reporter",
      "exporter",
      "backup",
    ]);
  });

  it("read each password from its own file, and forget it", () => {
    for (const { credential } of postgresRoles) expect(sql).toContain(`\`cat /run/secrets/${credential}\``);
    expect(statements.filter((line) => line.startsWith("\\set password"))).toHaveLength(postgresRoles.length);
    expect(statements.filter((line) => line === "\\unset password")).toHaveLength(postgresRoles.length);
  });

  it("keep passwords out of the server's log before the first one is set", () => {
    expect(statements.indexOf("SET log_statement = 'none';")).toBeLessThan(
      sql.split("\n").findIndex((line) => line.includes("PASSWORD")),
    );
    expect(sql).toContain("SET log_min_error_statement = 'panic';");
  });

  it("let the gateway and the reporter read the ledger, and nobody write it", () => {
    for (const reader of ["gateway_api", "reporter"]) {
      expect(sql).toContain(`GRANT SELECT ON ALL TABLES IN SCHEMA portfolio_ledger TO ${reader};`);
    }
    expect(sql).not.toMatch(/GRANT (ALL|INSERT|UPDATE|DELETE)/);
  });

  it("give nobody more than it needs", () => {
    expect(statements.filter((line) => line.startsWith("ALTER ROLE") && line.includes("PASSWORD"))).toSatisfy(
      (lines: string[]) => lines.every((line) => line.includes("NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION")),
    );
    // The backup reads all rows all the same: so it asks no policy, which is code of the table's owner.
    expect(statements.filter((line) => line.includes(" BYPASSRLS"))).toEqual([
      expect.stringMatching(/^ALTER ROLE backup /),
    ]);
    expect(sql).toContain("REVOKE ALL ON SCHEMA public FROM PUBLIC;");
  });
});
