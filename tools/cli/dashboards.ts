import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { z } from "zod";
import { dashboards } from "../../components/observability/dashboards/dashboards.ts";
import { dashboardJson } from "../../components/observability/dashboards/render.ts";
import { command, STACK, USAGE } from "../lib/command.ts";
import { say, UserError } from "../lib/log.ts";
import { type PanelTarget, panelQuery } from "../lib/panelQuery.ts";
import { dashboardPage, type PicturePanel, type Series } from "../lib/pictures.ts";
import { openWorkspace, outputs } from "../lib/workspace.ts";

/** Points of a curve: about one a pixel of half a page. */
const POINTS = 400;

type Panel = PicturePanel & { readonly targets: readonly PanelTarget[] };

/** Grafana's answer to queries, as far as it is drawn. */
const answer = z.object({
  results: z.record(
    z.string(),
    z.object({
      frames: z
        .array(
          z.object({
            schema: z.object({
              fields: z.array(
                z.object({
                  name: z.string(),
                  config: z.object({ displayNameFromDS: z.string().optional() }).optional(),
                }),
              ),
            }),
            data: z.object({ values: z.array(z.array(z.number().nullable())) }),
          }),
        )
        .default([]),
    }),
  ),
});

/** Posts to Grafana. A local stack's certificate is signed by nobody. */
function post(url: string, password: string, body: unknown, signed: boolean): Promise<string> {
  const headers = { authorization: `Basic ${Buffer.from(`admin:${password}`).toString("base64")}` };
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method: "POST", rejectUnauthorized: signed, headers: { ...headers, "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          // 207: some of the queries failed; their answers hold no frame.
          if ([200, 207].includes(response.statusCode ?? 0)) resolve(text);
          else reject(new UserError(`${url} answered with ${response.statusCode}: is the stack up?`));
        });
      },
    );
    call.on("error", ({ message }) => reject(new UserError(`${url} cannot be reached: ${message}`)));
    call.end(JSON.stringify(body));
  });
}

/** Writes each dashboard of a stack into a folder, as `UID.html`. */
export async function writeDashboards(stack: string, minutes: string, directory: string): Promise<void> {
  if (!/^[1-9]\d{0,4}$/.test(minutes)) throw new UserError(`--minutes: ${minutes} is no number of minutes`, USAGE);
  const workspace = await openWorkspace(stack);
  const { grafanaUrl, grafanaPassword } = await outputs(workspace, true);
  if (typeof grafanaUrl !== "string" || typeof grafanaPassword !== "string")
    throw new UserError(`the stack ${stack} has no Grafana: bring it up first`);
  const ask = async ({ targets }: Panel): Promise<Series[]> => {
    const interval = Math.max(15_000, (Number(minutes) * 60_000) / POINTS);
    // Exemplars are no curve.
    const queries = targets.map((target) => ({ ...panelQuery(target, interval, POINTS), exemplar: false }));
    const body = { queries, from: `now-${minutes}m`, to: "now" };
    const text = await post(`${grafanaUrl}api/ds/query`, grafanaPassword, body, !workspace.local);
    return Object.values(answer.parse(JSON.parse(text)).results).flatMap(({ frames }) =>
      frames.map(({ schema, data }) => {
        const [times = [], values = []] = data.values;
        const field = schema.fields[1];
        const name = field?.config?.displayNameFromDS ?? field?.name ?? "";
        return { name, points: times.map((time, index) => [time ?? 0, values[index] ?? null] as const) };
      }),
    );
  };
  mkdirSync(directory, { recursive: true });
  for (const dashboard of dashboards) {
    const { panels } = JSON.parse(dashboardJson(dashboard)) as { panels: Panel[] };
    const filled = await Promise.all(panels.map(async (panel) => ({ panel, series: await ask(panel) })));
    const note = `${dashboard.description} Stack ${stack}, the last ${minutes} minutes before ${new Date().toISOString()}.`;
    const file = join(directory, `${dashboard.uid}.html`);
    writeFileSync(file, dashboardPage(dashboard.title, note, filled));
    const empty = filled.filter(({ series }) => series.length === 0).map(({ panel }) => panel.title);
    say(`${file}: ${panels.length} panels${empty.length === 0 ? "" : `, without data: ${empty.join(", ")}`}`);
  }
}

export const dashboardsCommand = command(
  {
    usage: "DIR",
    about: `Writes each dashboard as a page of its own, with what its panels show now: for a report, or if no browser can reach Grafana.
It queries the data through Grafana, as Grafana's own pages do; it draws the panels itself.`,
    words: { DIR: "where the pages go" },
    positionals: true,
    options: {
      stack: STACK,
      minutes: { type: "string", default: "60", value: "N", says: "how far back (default 60)" },
    },
    changes: "nothing",
  },
  async ({ stack, minutes }, [directory, ...more]) => {
    if (directory === undefined || more.length > 0) throw new UserError(`name one folder`, USAGE);
    await writeDashboards(stack, minutes, directory);
    return 0;
  },
);
