import type { GrafanaFacts, OldGrafana } from "../../../services/backup/src/oldGrafana.ts";
import { readArchive } from "../../../services/backup/src/readArchive.ts";
import type { Daemon } from "../daemon.ts";
import { type Content, splitHead } from "../flow.ts";
import { UserError } from "../log.ts";
import { helper, helperImage, volumeOf } from "../restore/volumes.ts";
import { dockerWords, type OldHost } from "./host.ts";
import type { OldContainer } from "./project.ts";

/** Where Grafana keeps its database, if no variable of its container says otherwise. */
const DATA = "/var/lib/grafana";
const FILE = "grafana.db";
const PRESENT = `/volume/${FILE}`;
const PROGRAM = "/app/backup.mjs";

export interface OldDatabaseFile {
  readonly path: string;
  readonly bytes: number;
}

/** The old database's file. @throws UserError when there is none, or Grafana uses another kind of database */
export async function grafanaFile(host: OldHost, { id }: OldContainer): Promise<OldDatabaseFile> {
  const { stdout } = await host.run(dockerWords("inspect", "--format", "{{json .Config.Env}}", id));
  const variables = new Map(
    (JSON.parse(stdout) as readonly string[]).map((each) => [
      each.slice(0, each.indexOf("=")),
      each.slice(each.indexOf("=") + 1),
    ]),
  );
  const kind = variables.get("GF_DATABASE_TYPE") ?? "sqlite3";
  if (kind !== "sqlite3")
    throw new UserError(`the old Grafana keeps its data in ${kind}, which this command does not read`);
  const path = `${variables.get("GF_PATHS_DATA") ?? DATA}/${FILE}`;
  for await (const { size = 0 } of readArchive(host.read(dockerWords("cp", `${id}:${path}`, "-"))))
    return { path, bytes: size };
  throw new UserError(`the old Grafana has no ${path}`);
}

async function* databaseFile(host: OldHost, { id }: OldContainer, path: string): Content & AsyncGenerator<Uint8Array> {
  for await (const { content } of readArchive(host.read(dockerWords("cp", `${id}:${path}`, "-")))) yield* content;
}

const helperOf = async (daemon: Daemon) => [
  ...[...helper(await volumeOf(daemon, await daemon.container("grafana"), DATA), { readOnly: true }), "--interactive"],
  ...["--entrypoint", "node", await helperImage(daemon), PROGRAM],
];

/** The old database, prepared to take the place of the stack's. */
export async function prepareGrafana(
  daemon: Daemon,
  host: OldHost,
  container: OldContainer,
  { path }: OldDatabaseFile,
) {
  const words = ["old-grafana", PRESENT];
  const { head, rest } = await splitHead<OldGrafana>(
    daemon.flow([...(await helperOf(daemon)), ...words], databaseFile(host, container, path)),
  );
  return { found: head, content: rest };
}

/** What of the stack's Grafana is the operators' own now. */
export async function grafanaNow(daemon: Daemon): Promise<GrafanaFacts> {
  return JSON.parse(await daemon.ask(...(await helperOf(daemon)), "grafana-facts", PRESENT)) as GrafanaFacts;
}
