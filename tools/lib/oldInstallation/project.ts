import { quote } from "../../../components/shell.ts";
import { UserError } from "../log.ts";
import { dockerWords, type OldHost } from "./host.ts";
import { mayRun, type OldStore, oldStores, readWhileRunning } from "./layout.ts";

/** A container of the old compose project. */
export interface OldContainer {
  readonly id: string;
  readonly project: string;
  readonly service: string;
  readonly directory: string;
  readonly running: boolean;
}

export interface OldProject {
  readonly name: string;
  /** The stores' containers; those that are left out have none. */
  readonly stores: Readonly<Partial<Record<OldStore, OldContainer>>>;
  /** What must be fixed before anything is read. */
  readonly faults: readonly string[];
}

const LABELS = ["com.docker.compose.project", "com.docker.compose.service", "com.docker.compose.project.working_dir"];
const FORMAT = ["{{.ID}}", ...LABELS.map((label) => `{{.Label "${label}"}}`), "{{.State}}"].join("\t");

/** Every container of a compose project on a host. */
export async function composeContainers(host: OldHost): Promise<OldContainer[]> {
  const { code, stdout, stderr } = await host.run(
    `[ -d ${quote(host.path)} ] || { echo "there is no directory ${host.path}" >&2; exit 1; }; ${dockerWords("ps", "--all", "--no-trunc", "--filter", `label=${LABELS[0]}`, "--format", FORMAT)}`,
    { allowFailure: true },
  );
  if (code !== 0)
    throw new UserError(
      `${host.name}: ${stderr.trim().split("\n").at(-1) || `the host cannot be asked: exit code ${code}`}`,
    );
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"))
    .map(([id = "", project = "", service = "", directory = "", state]) => ({
      ...{ id, project, service, directory },
      running: state === "running",
    }));
}

const isBelow = (directory: string, path: string) => directory === path || directory.startsWith(`${path}/`);

/**
 * Finds the compose project of an installation, and what is wrong with it.
 * @param without stores that are not looked for
 */
export function projectOf(
  host: Pick<OldHost, "path" | "name">,
  all: readonly OldContainer[],
  { project, without = [] }: { readonly project?: string | undefined; readonly without?: readonly OldStore[] } = {},
): OldProject {
  const own = all.filter((each) =>
    project === undefined ? isBelow(each.directory, host.path) : each.project === project,
  );
  const names = [...new Set(own.map((each) => each.project))];
  const [name] = names;
  if (name === undefined) {
    const others = [...new Set(all.map((each) => each.project))].sort();
    const hint =
      others.length === 0
        ? "no project of docker compose has a container there"
        : `name one by --project: ${others.join(", ")}`;
    throw new UserError(
      `${host.name}: ${project === undefined ? "no container of this directory was found" : `there is no project ${project}`}; ${hint}`,
    );
  }
  if (names.length > 1)
    throw new UserError(`${host.name} has several projects: ${names.sort().join(", ")}; name one by --project`);
  const faults: string[] = [];
  const stores: Partial<Record<OldStore, OldContainer>> = {};
  for (const store of oldStores.filter((each) => !without.includes(each))) {
    const [found, ...more] = own.filter(({ service }) => service === store);
    if (found === undefined)
      faults.push(
        `project ${name} has no container of ${store}: start it, or leave its data behind: --without ${store}`,
      );
    else if (more.length > 0)
      faults.push(`project ${name} has ${more.length + 1} containers of ${store}: remove all but one`);
    else stores[store] = found;
    if (found?.running === false && readWhileRunning.includes(store))
      faults.push(
        `${store} does not run, and is read by its own program: docker compose --project-name ${name} start ${store}`,
      );
  }
  const writers = own.filter(({ running, service }) => running && !(mayRun as readonly string[]).includes(service));
  if (writers.length > 0)
    faults.push(
      `${writers.length} containers of project ${name} run that may write or trade: docker compose --project-name ${name} stop ${[...new Set(writers.map(({ service }) => service))].sort().join(" ")}`,
    );
  return { name, stores, faults };
}
