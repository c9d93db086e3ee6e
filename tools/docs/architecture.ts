import { readFileSync } from "node:fs";
import { join } from "node:path";
import { routes } from "../../components/edge/routes.ts";
import { serviceJobs } from "../../components/observability/alerts/services.ts";
import { type ServiceName, type ServiceSpec, serviceNames, services } from "../../components/platform/catalogue.ts";
import { subjectMatches } from "../../components/platform/subjects.ts";
import { root } from "../lib/workspace.ts";

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
const diagram = (lines: readonly string[]) =>
  ["```mermaid", "flowchart LR", ...lines.map((line) => `  ${line}`), "```"].join("\n");

const spec = (name: ServiceName): ServiceSpec<ServiceName> => services[name];
/** What runs by itself; a batch job has no part in the picture. */
const serving = serviceNames.filter((name) => spec(name).port !== null);

/** The components that the picture shows beside the services, by what they are for. */
const parts: Readonly<Record<string, readonly string[]>> = {
  Data: ["postgres", "redis", "nats"],
  Broker: ["ib-gateway"],
  Watching: ["prometheus", "alertmanager", "grafana", "jaeger", "loki"],
};

/** The workloads in the picture, by what they are for. */
export const groups: readonly (readonly [string, readonly string[]])[] = Object.entries({
  Services: serving,
  ...parts,
});

/** One workload calls another; at the edge, by these paths. */
export interface Call {
  readonly from: string;
  readonly to: string;
  readonly by?: string;
}

/** Who calls whom: from the edge's routes and from what each service needs. */
export function calls(): Call[] {
  const known = new Set(groups.flatMap(([, members]) => members));
  const edge = routes.map(({ paths, upstream, login }) => {
    const path = [...new Set(paths.map((each) => each.replace(/\/\*$/, "")))].join(", ");
    return { from: "caddy", to: upstream.split(":")[0] ?? "", by: login ? `login, ${path}` : path };
  });
  const needs = serving.flatMap((from) =>
    spec(from)
      .needs.filter((need) => known.has(need))
      .map((to) => ({ from, to })),
  );
  return [...edge, ...needs];
}

/** Who hears whom: each subject from its publishers to its subscribers. */
function subjects(): string[] {
  const lines = new Map<string, string[]>();
  for (const from of serving)
    for (const subject of spec(from).publishes)
      for (const to of serving)
        if (spec(to).subscribes.some((wanted) => subjectMatches(wanted, subject) || subjectMatches(subject, wanted))) {
          const way = `${from} -->|SUBJECTS| ${to}`;
          lines.set(way, [...(lines.get(way) ?? []), subject.replace(">", "*")]);
        }
  return [...lines].map(([way, all]) => way.replace("SUBJECTS", `"${all.join("<br>")}"`));
}

interface Component {
  readonly name: string;
  readonly file: string;
  readonly purpose: string;
}

/** The components that index.ts makes, in its order, with the first sentence of what each says of itself. */
export function components(): Component[] {
  const program = readFileSync(join(root, "index.ts"), "utf8");
  const files = new Map(
    [...program.matchAll(/import \{([^}]+)\} from "\.\/([^"]+)"/g)].flatMap(([, names = "", file = ""]) =>
      names.split(",").map((name) => [name.trim(), file] as const),
    ),
  );
  return [...program.matchAll(/new (\w+)\(/g)].flatMap(([, name = ""]) => {
    const file = files.get(name);
    if (file === undefined) return [];
    const source = readFileSync(join(root, file), "utf8");
    const [, comment = ""] = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s*export class ${name}\\b`).exec(source) ?? [];
    const text = comment
      .replace(/^\s*\* ?/gm, " ")
      .replace(/\s+/g, " ")
      .trim();
    return [{ name, file, purpose: text.split(/(?<=\.) /)[0] ?? "" }];
  });
}

/** The page docs/architecture.md. */
export function architecturePage(): string {
  const boxes = groups.flatMap(([group, members]) => [
    `subgraph ${group}`,
    ...members.map((name) => `  ${name}`),
    "end",
  ]);
  const arrows = calls().map(({ from, to, by }) => `${from} -->${by === undefined ? "" : `|"${by}"|`} ${to}`);
  return `# Architecture

This page is generated from the code (\`tools/docs/architecture.ts\`), and a test keeps it true. One host, one Docker, one Pulumi program: \`index.ts\` creates the components below in their order, and the engine works out their dependencies.

## Who calls whom

Callers are on the left. Caddy is the only way in; "login" marks what requires the admin login. [segments.md](segments.md) has every connection that is open, and how the others are closed.

${diagram(["client([clients]) --> caddy", ...boxes, ...arrows])}

Not in the picture: Prometheus scrapes ${serviceJobs.length} services and all components every 15 s; services send traces to a collector, which sends them to Jaeger; a second collector reads every container's log and sends it to Loki; the backup reads all stores at night.

## The path of an order

Over NATS, each subject from its publisher to its reader. The messages of an order are in durable streams, one per set of publishers: once accepted, a message survives a restart of any service. The component nats-streams creates and keeps the streams.

${diagram(subjects())}

llm-agents signs its intents and risk-manager its orders; a service that acts on one checks the signature first. The platform's kill switch stops the executors themselves, and has NATS refuse approved orders; the application's own kill switch is a file that risk-manager and the stand-ins read.

## The components

${table(
  ["component", "what it is", "file"],
  components().map(({ name, file, purpose }) => [name, purpose, `[${file}](../${file})`]),
)}

## Where things live

${table(
  ["folder", "concern"],
  [
    ["`index.ts`", "the program: all components, in a page"],
    ["`components/platform`", "the services: their catalogue, files, containers"],
    [
      "`components/data`, `broker`, `edge`, `observability`, `backup`",
      "the components beside them, one folder per concern",
    ],
    [
      "`components/parts.ts`",
      "what is not a service, one row each: image, user, networks, ports, credentials, metrics",
    ],
    [
      "`components/segments.ts`",
      "the networks; `ports.ts` and `uids.ts`: every workload's ports and user, of both tables",
    ],
    ["`components/credentials`", "every secret: the catalogue, which workload may read it, generations, ages"],
    ["`components/runtime`", "how workloads run: files, volumes, segments, images; the only folder that knows Docker"],
    ["`components/host`", "a bare Debian machine becomes the host, over SSH"],
    ["`policies`", "what is refused, whatever the program says"],
    ["`services`", "programs of our own: stand-ins for the services, and the backup"],
    [
      "`tools/commands.ts`",
      "the table of the commands of `./autollm`; `tools/cli` has them, `tools/lib` what they share",
    ],
    [
      "`tools/bootstrap/engine`, `tools/bootstrap/images`, `tools/bootstrap/docker`",
      "an engine, images and a daemon, built where none is available",
    ],
    ["`test`", "unit (mocks, pure functions), policies, e2e (the real thing)"],
  ],
)}
`;
}
