import { describe, expect, it } from "vitest";
import { bucketOf, prunerPolicy, writerPolicy } from "../../../services/backup/src/s3.ts";
import { inOrder, restoreArgs, rolesSql, schemasSql } from "../../../services/backup/src/scratchSql.ts";
import { type Lock, releasing } from "../../../services/backup/src/second.ts";

describe("a lock in the second repository", () => {
  const now = new Date("2026-03-08T02:00:00Z");
  const lock = (hostname: string, minutesAgo: number, exclusive = false): Lock => ({
    hostname,
    exclusive,
    time: new Date(now.getTime() - minutesAgo * 60_000).toISOString(),
  });
  it.each<[string, readonly Lock[], ReturnType<typeof releasing>]>([
    ["there is none", [], "none"],
    ["another host works there", [lock("other", 4)], "none"],
    ["a run of this host was killed a moment ago", [lock("mine", 1, true)], "all"],
    ["another host's was not renewed for half an hour", [lock("other", 31)], "all"],
    ["a killed run's stands beside a live one", [lock("mine", 1), lock("other", 4, true)], "stale"],
  ])("is removed if nobody holds it: %s", (_, locks, which) => expect(releasing(locks, "mine", now)).toBe(which));
});

describe("the second repository's policies", () => {
  interface Policy {
    readonly Statement: readonly { readonly Action: readonly string[]; readonly Resource: string }[];
  }
  const place = bucketOf("s3:https://s3.example.com/backups/production");
  const rights = (policy: object) =>
    (policy as Policy).Statement.flatMap(({ Action, Resource }) => Action.map((action) => `${action} ${Resource}`));
  it("name bucket and folder", () => {
    expect(place).toEqual({ url: "https://s3.example.com/backups", folder: "production" });
    expect(bucketOf("s3:https://s3.example.com/backups")).toEqual({
      url: "https://s3.example.com/backups",
      folder: "",
    });
  });
  it("let the writer delete locks, which hold no data, and nothing else", () => {
    expect(rights(writerPolicy(place)).filter((right) => /Delete|\*:|s3:\*/.test(right))).toEqual([
      "s3:DeleteObject arn:aws:s3:::backups/production/locks/*",
    ]);
  });
  it("let neither of them delete versions", () => {
    for (const policy of [writerPolicy(place), prunerPolicy(place)])
      expect(JSON.stringify(policy)).not.toContain("DeleteObjectVersion");
    expect(rights(prunerPolicy(place))).toContain("s3:DeleteObject arn:aws:s3:::backups/production/*");
  });
});

describe("the restore test's database", () => {
  const reads = { api: ["ledger"], ledger: [], reporter: ["ledger", "api"] };
  const schemas = ["reporter", "api", "ledger"].map((schema) => ({ schema, owner: schema }));
  it("takes those schemas first that others read", () => {
    expect(inOrder(schemas, reads).map(({ schema }) => schema)).toEqual(["ledger", "api", "reporter"]);
    expect(inOrder(schemas, { api: ["ledger"], ledger: ["api"] })).toHaveLength(3);
  });
  it("has roles without any right beyond their schema", () => {
    const sql = rolesSql(schemas, "backup", ["exporter", "api"]);
    expect(sql.match(/^CREATE ROLE/gm)).toHaveLength(5);
    for (const line of sql.split("\n").filter((each) => each.startsWith("CREATE")))
      expect(line).toContain("NOSUPERUSER NOCREATEDB NOCREATEROLE");
    expect(sql).not.toMatch(/pg_execute|pg_read_server|pg_write_server/);
  });
  it("grants no more than the stack does", () => {
    const grants = schemasSql("autollm", schemas, reads, "backup").match(/GRANT (USAGE|SELECT).*/g);
    expect(grants).toHaveLength(6);
  });
  it("is filled by a session of the schema's owner, and by no other", () => {
    expect(restoreArgs("api", "api", "autollm")).toEqual(
      expect.arrayContaining(["--username=api", "--no-owner", "--schema=api"]),
    );
  });
});
