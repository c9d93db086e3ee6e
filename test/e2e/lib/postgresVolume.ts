import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pgHba, postgresConf } from "../../../components/data/postgres.ts";
import { postgresRoles, postgresSetupSql } from "../../../components/data/postgresRoles.ts";
import { scramVerifier } from "../../../components/data/scram.ts";
import { dumpPath, type Manifest, type SavedSchema } from "../../../services/backup/src/manifest.ts";
import { copySql, RowSum, readerSettings, type TableSum, tablesSql } from "../../../services/backup/src/tables.ts";
import { Daemon } from "../../../tools/lib/daemon.ts";
import type { Source, Volume } from "../../../tools/lib/restore/volumes.ts";
import { root } from "../../../tools/lib/workspace.ts";
import { eventually } from "./http.ts";
import { docker } from "./stack.ts";

const PSQL = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--host=/tmp"];
const USER = "70:70";

/** Postgres as the platform runs it, in its volume, with a stand-in of the backup: no other part of a stack. */
export class PostgresVolume {
  readonly daemon: Daemon;
  readonly volume: Volume;
  readonly #folder = mkdtempSync(join(tmpdir(), "autollm-upgrade-"));
  readonly #backup: string;
  /** The container that runs now. */
  container = "";

  constructor(image: string) {
    const name = `upgrade-test-${randomBytes(4).toString("hex")}`;
    this.daemon = Daemon.at(name, { host: undefined, dockerHost: "unix:///var/run/docker.sock" });
    this.volume = { daemon: this.daemon, name, user: USER, image };
    this.#backup = `${name}-backup`;
    const key = randomBytes(32).toString("hex");
    const verifiers = new Map(
      postgresRoles.map(({ role, credential }) => [
        credential,
        scramVerifier(role, randomBytes(16).toString("hex"), key),
      ]),
    );
    const files = {
      "etc/start.sh": readFileSync(join(root, "components/data/postgres-start.sh"), "utf8"),
      "etc/postgresql.conf": postgresConf,
      "etc/pg_hba.conf": pgHba,
      "live/current/roles.sql": postgresSetupSql(verifiers),
      // What the restore asks of the backup's container: `node /app/backup.mjs cat SNAPSHOT PATH`.
      "backup/node": '#!/bin/sh\ncat "/backup/$4"\n',
    };
    for (const folder of ["etc", "live/current", "backup/postgres"])
      mkdirSync(join(this.#folder, folder), { recursive: true });
    for (const [path, text] of Object.entries(files)) writeFileSync(join(this.#folder, path), text, { mode: 0o755 });
    chmodSync(this.#folder, 0o755);
  }

  /** Starts Postgres's container of an image, and waits until it is ready; or until it has ended, and answers false. */
  async start(image = this.volume.image): Promise<boolean> {
    await this.stop();
    this.container = `${this.volume.name}-${randomBytes(2).toString("hex")}`;
    await docker(
      ...["run", "--detach", "--init", "--name", this.container, "--network", "none", "--read-only", "--user", USER],
      ...["--cap-drop", "ALL", "--tmpfs", "/tmp", `--volume=${this.volume.name}:/var/lib/postgresql/data`],
      ...[`--volume=${this.#folder}/etc:/etc/autollm:ro`, `--volume=${this.#folder}/live:/run/live:ro`],
      ...["--entrypoint", "/bin/sh", image, "/etc/autollm/start.sh"],
    );
    return eventually("Postgres", 120, async () => {
      const asked = ["exec", this.container, "pg_isready", "--quiet", "--host=127.0.0.1"];
      if ((await this.daemon.run(asked, { allowFailure: true })).code === 0) return true;
      const running = await docker("inspect", "--format", "{{.State.Running}}", this.container);
      return running === "true" ? undefined : false;
    });
  }

  async stop(): Promise<void> {
    if (this.container !== "") await docker("stop", "--time", "30", this.container);
  }

  async sql(text: string, database = "autollm"): Promise<string> {
    const args = ["exec", "--interactive", this.container, ...PSQL, "--username=postgres", `--dbname=${database}`];
    return (await this.daemon.run(args, { input: text })).stdout.trim();
  }

  /** Runs a script on the volume as its owner. */
  onVolume(script: string): Promise<string> {
    return docker(
      ...["run", "--rm", "--network", "none", "--user", USER, `--volume=${this.volume.name}:/volume:nocopy`],
      ...["--entrypoint", "/bin/sh", this.volume.image, "-euc", `cd /volume\n${script}`],
    );
  }

  async #sums(schema: string): Promise<TableSum[]> {
    const names = await this.sql(`SELECT json_agg(name) FROM (${tablesSql.replace("$1", `'${schema}'`)}) t;`);
    const sums: TableSum[] = [];
    for (const name of JSON.parse(names || "[]") as string[]) {
      const sum = new RowSum();
      const settings = Object.entries(readerSettings).map(([key, value]) => `SET ${key} = '${value}';`);
      await this.daemon.read(
        ["exec", "--interactive", this.container, ...PSQL, "--username=postgres", "--dbname=autollm"],
        [...settings, `${copySql(schema, name)};`, ""].join("\n"),
        (chunk) => sum.add(chunk),
      );
      sums.push(sum.of(schema, name));
    }
    return sums;
  }

  /** Dumps every schema of a role, and answers what a backup would: where it is, and its manifest. */
  async save(): Promise<{ readonly source: Source; readonly manifest: Manifest }> {
    const schemas: SavedSchema[] = [];
    for (const { role, ownsSchema } of postgresRoles) {
      if (!ownsSchema) continue;
      const path = join(this.#folder, "backup", dumpPath(role));
      const dump = ["pg_dump", "--host=/tmp", "--username=postgres", "--dbname=autollm", "--format=custom"];
      await this.daemon.run(["exec", this.container, ...dump, `--schema=${role}`, "--file=/tmp/dump"]);
      await docker("cp", `${this.container}:/tmp/dump`, path).catch(async () => {
        // Docker copies nothing out of a memory file system.
        const { stdout } = await this.daemon.run(["exec", this.container, "base64", "/tmp/dump"]);
        writeFileSync(path, Buffer.from(stdout, "base64"), { mode: 0o644 });
      });
      schemas.push({ schema: role, owner: role, tables: await this.#sums(role) });
    }
    await docker(
      ...["run", "--detach", "--init", "--name", this.#backup, "--network", "none", "--user", USER],
      ...[`--volume=${this.#folder}/backup:/backup:ro`, `--volume=${this.#folder}/backup/node:/usr/local/bin/node:ro`],
      ...["--entrypoint", "sleep", this.volume.image, "86400"],
    );
    const postgres = { database: "autollm", major: 17, schemas, faults: [], lost: [] };
    const manifest = { format: 2, stack: "test", postgres } as unknown as Manifest;
    return { source: { daemon: this.daemon, container: this.#backup, snapshot: "newest" }, manifest };
  }

  /** Cuts a schema's dump short, or makes it whole again by what this returns. */
  cut(schema: string): () => void {
    const path = join(this.#folder, "backup", dumpPath(schema));
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length / 2)));
    return () => writeFileSync(path, whole);
  }

  async remove(): Promise<void> {
    const names = await docker("ps", "--all", "--quiet", "--filter", `name=${this.volume.name}`);
    if (names !== "") await docker("rm", "--force", ...names.split("\n"));
    await this.daemon.run(["volume", "rm", "--force", this.volume.name], { allowFailure: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
