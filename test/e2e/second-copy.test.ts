import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { s3 } from "../../services/backup/src/s3.ts";
import { run } from "../../tools/lib/run.ts";
import { root } from "../../tools/lib/workspace.ts";
import { eventually } from "./lib/http.ts";
import { identity, S3Server } from "./lib/s3Server.ts";
import { docker, type TestStack } from "./lib/stack.ts";

interface Policies {
  readonly writer: { readonly Statement: readonly object[] };
  readonly pruner: { readonly Statement: readonly object[] };
}

describe("the second repository", () => {
  const writer = identity("writer");
  const pruner = identity("pruner");
  let stack: TestStack;
  let place: S3Server;

  const backup = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await stack.autollm("backup", "--json", ...args);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as T;
  };
  const restic = (args: string) =>
    stack
      .container("backup")
      .then((name) =>
        run(
          "docker",
          [
            ...[
              "exec",
              "--env",
              `AWS_ACCESS_KEY_ID=${writer.accessKey}`,
              "--env",
              `AWS_SECRET_ACCESS_KEY=${writer.secretKey}`,
            ],
            ...["--env", "HOME=/tmp", name, "sh", "-c"],
            `timeout 60 restic --repo ${place.setting} --password-file /run/secrets/backup-key --no-cache ${args}`,
          ],
          { allowFailure: true },
        ),
      );
  const prune = () =>
    run("./autollm", ["backup", "--prune-remote", "--json", "--stack", stack.name], {
      cwd: root,
      env: {
        ...{ AUTOLLM_HOME: stack.home, CI: "true" },
        ...{ PRUNE_ACCESS_KEY: pruner.accessKey, PRUNE_SECRET_KEY: pruner.secretKey },
      },
      allowFailure: true,
    });

  beforeAll(async () => {
    place = await S3Server.start();
    for (const user of [writer, pruner]) await place.addUser(user);
    const all = { ...place.bucket, ...place.owner };
    const versioning =
      '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>';
    expect((await s3(all, "PUT", "", { versioning: "" }, versioning)).status).toBe(200);

    stack = await place.makeStack("e2e-second", writer);
    const up = await stack.up();
    expect(up.code, up.stdout + up.stderr).toBe(0);
    const policies = await backup<Policies>("--policies");
    const statements = (
      [
        [policies.writer, writer.accessKey],
        [policies.pruner, pruner.accessKey],
      ] as const
    ).flatMap(([{ Statement }, user]) =>
      Statement.map((statement, index) => ({ ...statement, Sid: `${user}${index}`, Principal: { AWS: [user] } })),
    );
    const policy = JSON.stringify({ Version: "2012-10-17", Statement: statements });
    expect((await s3(all, "PUT", "", { policy: "" }, policy)).status).toBe(204);
  });
  afterAll(async () => {
    await stack?.remove();
    place?.remove();
  });

  test("is filled by a key that may not delete", async () => {
    const made = await backup<{ id: string; copyFailed?: string }>();
    expect(made.copyFailed).toBeUndefined();
    expect(await place.keys("snapshots")).not.toEqual([]);
    // Its locks are gone: these it may delete.
    expect(await place.keys("locks")).toEqual([]);
    const { stdout } = await run("docker", ["exec", await stack.container("backup"), "cat", "/backup/status.json"]);
    expect(JSON.parse(stdout)).toMatchObject({ secondOk: true, secondAppendOnly: true, secondDue: 0 });
  });

  test("loses neither a snapshot nor a pack by that key", async () => {
    for (const kind of ["snapshots", "data", "index", "keys"]) {
      const [object = ""] = await place.keys(kind);
      expect(object).not.toBe("");
      expect((await s3({ ...place.bucket, ...writer }, "DELETE", object)).status, kind).toBe(403);
      expect((await s3({ ...place.bucket, ...writer }, "DELETE", object, { versionId: "null" })).status, kind).toBe(
        403,
      );
    }
    const before = await place.keys("snapshots");
    expect((await restic("forget --keep-last 1 --group-by host --prune")).code).not.toBe(0);
    expect(await place.keys("snapshots")).toEqual(before);
  });

  test("is copied to again after a copy was killed, whose lock stays", async () => {
    const name = await stack.container("backup");
    // A copy of a few rows is over in a moment: this one holds its lock, as a copy of a large database does.
    const running = restic(`backup --host ${stack.name} --stdin-from-command -- sleep 300`).catch(() => undefined);
    await eventually("a lock in the second repository", 120, async () =>
      (await place.keys("locks")).length > 0 ? true : undefined,
    );
    await docker("kill", "--signal", "SIGKILL", name);
    await running;
    expect((await place.keys("locks")).length).toBeGreaterThan(0);
    await docker("start", name);
    await eventually("the backup's health", 120, async () =>
      (await docker("inspect", "--format", "{{.State.Health.Status}}", name)) === "healthy" ? true : undefined,
    );
    expect((await backup<{ copyFailed?: string }>()).copyFailed).toBeUndefined();
    expect(await place.keys("locks")).toEqual([]);
  });

  test("is pruned by another identity, which is told of a snapshot of the future", async () => {
    const made = await restic(`backup --host ${stack.name} --tag rows=1 --time '2020-01-02 03:04:05' /etc/autollm`);
    expect(made.code, made.stderr).toBe(0);
    // Of a day restic keeps the last, and the very oldest of all: the one between the two goes.
    for (const time of ["03:34:05", "04:04:05"]) {
      const later = await restic(`backup --host ${stack.name} --tag rows=1 --time '2020-01-02 ${time}' /etc/autollm`);
      expect(later.code, later.stderr).toBe(0);
    }
    const count = (await place.keys("snapshots")).length;
    const pruned = await prune();
    expect(pruned.code, pruned.stderr).toBe(0);
    expect((JSON.parse(pruned.stdout) as { removed: string[] }).removed.length).toBeGreaterThan(0);
    expect((await place.keys("snapshots")).length).toBeLessThan(count);
    const future = await restic(`backup --host ${stack.name} --tag rows=1 --time '2099-01-02 03:04:05' /etc/autollm`);
    expect(future.code, future.stderr).toBe(0);
    const refused = await prune();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("are of the future, so that all others look old");
  });
});
