import { streams } from "../../../components/platform/streams.ts";
import type { Daemon } from "../daemon.ts";
import { UserError } from "../log.ts";
import { humanBytes } from "../units.ts";
import { environmentFile, variablesOf } from "./environment.ts";
import { type FilePlan, filePlan, filesOf } from "./files.ts";
import { grafanaFile, type OldDatabaseFile } from "./grafana.ts";
import type { OldHost } from "./host.ts";
import { KILL_SWITCH } from "./layout.ts";
import { composeContainers, type OldProject, projectOf } from "./project.ts";
import { redisSize } from "./redis.ts";
import { type OldStreams, oldStreams } from "./streams.ts";
import { databaseOf, type OldDatabase, ownersGiven, type TablePlan, tablePlan } from "./tables.ts";

/** What an installation has, and what becomes of it. */
export interface Plan {
  readonly project: OldProject;
  readonly database: OldDatabase | undefined;
  readonly tables: TablePlan;
  readonly redis: {
    readonly keys: number;
    readonly bytes: number;
    readonly password: string;
    readonly database: number;
  };
  readonly streams: OldStreams;
  readonly grafana: OldDatabaseFile | undefined;
  readonly files: FilePlan;
  /** The path of the old kill switch, if it was set. */
  readonly killSwitch: string | undefined;
  readonly left: readonly string[];
  readonly faults: readonly string[];
}

/** The password in an address of Redis. */
function passwordIn(url: string | undefined): string {
  try {
    return url === undefined ? "" : decodeURIComponent(new URL(url).password);
  } catch {
    return "";
  }
}

/** A path of a container, or of the installation, as one below the installation. */
export const belowInstallation = (path: string, root: string): string =>
  path
    .replace(`${root}/`, "")
    .replace(/^(\/app)?\//, "")
    .replace(/^\.\//, "");

const nothing: TablePlan = { moved: [], left: [], faults: [] };

export interface PlanArgs {
  readonly host: OldHost;
  readonly daemon: Daemon;
  readonly project: string | undefined;
  /** Owners of tables: `TABLE=SERVICE`. */
  readonly owners: readonly string[];
}

/** Reads what an installation has. What is wrong is a fault in the plan, all of them at once. */
export async function planOf({ host, daemon, project: given, owners }: PlanArgs): Promise<Plan> {
  const project = projectOf(host, await composeContainers(host), { project: given });
  const faults = [...project.faults];
  const attempt = async <T, U>(work: () => Promise<T>, otherwise: U): Promise<T | U> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      faults.push(error.message);
      return otherwise;
    }
  };
  const variables = await attempt(
    async () => variablesOf((await environmentFile(host)).text),
    new Map<string, string>(),
  );
  const { postgres, redis, nats, grafana } = project.stores;
  const database = postgres?.running === true ? await attempt(() => databaseOf(host, postgres), undefined) : undefined;
  const tables = database === undefined ? nothing : tablePlan(database, ownersGiven(owners));
  const password = variables.get("REDIS_PASSWORD") ?? passwordIn(variables.get("REDIS_URL"));
  const size = redis?.running === true ? await attempt(() => redisSize(host, redis, password), undefined) : undefined;
  const found = nats === undefined ? undefined : await attempt(() => oldStreams(host, nats), undefined);
  if ((found?.accounts.length ?? 0) > 1)
    faults.push(`the old NATS has streams in several accounts: ${found?.accounts.join(", ")}; leave those of one`);
  const file = grafana === undefined ? undefined : await attempt(() => grafanaFile(host, grafana), undefined);
  const all = await filesOf(host);
  const path = belowInstallation(
    variables.get("KILL_SWITCH_FILE") ?? variables.get("RISK.kill_switch_file") ?? KILL_SWITCH,
    host.path,
  );
  const places = JSON.parse(
    await daemon.ask("exec", await daemon.container("backup"), "node", "/app/backup.mjs", "volumes"),
  ) as Readonly<Record<string, string>>;
  const files = filePlan(all, new Set(Object.keys(places)), [path]);
  const known = new Set<string>(streams.map(({ name }) => name));
  const strange = Object.keys(found?.bytes ?? {}).filter((name) => !known.has(name));
  return {
    ...{ project, database, tables, files },
    redis: { ...{ keys: 0, bytes: 0 }, ...size, password, database: Number(variables.get("REDIS_DB") ?? 0) || 0 },
    streams: found ?? { bytes: {}, accounts: [] },
    grafana: file,
    killSwitch: all.some((each) => each.path === path) ? path : undefined,
    left: [...tables.left, ...strange.map((name) => `stream ${name}: the stack has none of this name`), ...files.left],
    faults: [...faults, ...tables.faults],
  };
}

/** Bytes that are read, saved and restored in a second, on a slow machine. */
const BYTES_PER_S = 5_000_000;
/** Stopping, starting and looking at the stores and services. */
const RESTART_S = 90;

const seconds = (bytes: number) => Math.ceil(bytes / BYTES_PER_S);
const duration = (s: number) => (s < 120 ? `about ${s} s` : `about ${Math.ceil(s / 60)} min`);

/** The plan for a reader: what moves, with sizes and times, and what stays behind. */
export function planLines({
  project,
  database,
  tables,
  redis,
  streams: found,
  grafana,
  files,
  killSwitch,
  left,
}: Plan): string[] {
  const names = new Map(database?.relations.map((each) => [`${each.schema}.${each.name}`, each]));
  const rows: [what: string, amount: string, bytes: number, to: string][] = [];
  for (const { names: own, schema } of tables.moved)
    for (const name of own) {
      const table = names.get(`public.${name}`);
      if (table?.kind !== "r") continue;
      const count = table.rows < 0 ? "rows not counted" : `about ${table.rows} rows`;
      rows.push([`table ${name}`, count, table.bytes, `schema ${schema}`]);
    }
  rows.push(["Redis", `${redis.keys} keys`, redis.bytes, "those that a service owns"]);
  const known = new Set<string>(streams.map(({ name }) => name));
  for (const [name, bytes] of Object.entries(found.bytes))
    if (known.has(name)) rows.push([`stream ${name}`, "all messages", bytes, `stream ${name}, as already worked on`]);
  if (grafana !== undefined) rows.push(["Grafana", "its own dashboards, users", grafana.bytes, "Grafana"]);
  for (const volume of new Set(files.moved.map((file) => file.volume))) {
    const own = files.moved.filter((file) => file.volume === volume);
    const bytes = own.reduce((sum, file) => sum + file.bytes, 0);
    rows.push([`files for ${volume}`, `${own.length} files`, bytes, `volume ${volume}`]);
  }
  const total = rows.reduce((sum, [, , bytes]) => sum + bytes, 0);
  const lines = rows.map(
    ([what, amount, bytes, to]) =>
      `  ${what.padEnd(26)} ${amount.padEnd(26)} ${humanBytes(bytes).padStart(9)}  ${duration(seconds(bytes)).padEnd(12)} -> ${to}`,
  );
  return [
    `project ${project.name}, Postgres ${database?.version ?? "unknown"}:`,
    ...lines,
    `  kill switch: ${killSwitch === undefined ? "was not set" : `${killSwitch} is set, so it is on afterwards`}`,
    `  in all ${humanBytes(total)}, ${duration(seconds(total) + RESTART_S)}; the stack's services are stopped for the last ${duration(RESTART_S)}`,
    ...(left.length === 0 ? [] : ["left behind:", ...left.map((each) => `  ${each}`)]),
  ];
}
