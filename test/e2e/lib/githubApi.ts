import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { bodyOf, type Handler, json } from "./serve.ts";
import { zip } from "./zip.ts";

/** Who has approved a run, or has not. */
export interface Approval {
  readonly state: string;
  readonly user: { readonly login: string };
}

/** A comment of a pull request. */
export interface Comment {
  readonly id: number;
  readonly issue: string;
  readonly user: { readonly login: string };
  body: string;
}

/** What GitHub's REST API tells of a repository, as far as a workflow asks. */
export interface ApiState {
  readonly repository: string;
  /** A client must have it. */
  readonly token: string;
  /** The folder of the artifacts: a run's id, and the artifact's name below. */
  readonly artifacts: string;
  /** By the run's id. */
  readonly approvals: ReadonlyMap<string, readonly Approval[]>;
  readonly comments: Comment[];
}

interface Question {
  readonly state: ApiState;
  readonly request: IncomingMessage;
  /** The parts of the path that the pattern names. */
  readonly part: Readonly<Record<string, string>>;
}

/** An answer's body; undefined where there is no such thing. */
type Answer = (question: Question) => Promise<unknown> | unknown;

/** By method and path below the repository's. */
const routes: readonly (readonly [RegExp, Answer])[] = [
  [
    /^GET actions\/runs\/(?<run>\w+)\/artifacts$/,
    ({ state: { artifacts, repository }, part: { run = "" } }) => {
      const folder = join(artifacts, run);
      const found = (existsSync(folder) ? readdirSync(folder).sort() : []).map((name, id) => ({
        ...{ id, name, size_in_bytes: 1, expired: false },
        archive_download_url: `https://api.github.com/repos/${repository}/actions/runs/${run}/artifacts/${name}/zip`,
      }));
      return { total_count: found.length, artifacts: found };
    },
  ],
  [
    /^GET actions\/runs\/(?<run>\w+)\/artifacts\/(?<name>[\w-]+)\/zip$/,
    ({ state: { artifacts }, part: { run = "", name = "" } }) => {
      const folder = join(artifacts, run, name);
      return zip(new Map(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))])));
    },
  ],
  [
    /^GET actions\/runs\/(?<run>\w+)\/approvals$/,
    ({ state: { approvals }, part: { run = "" } }) => approvals.get(run) ?? [],
  ],
  [
    /^GET issues\/(?<issue>\d+)\/comments$/,
    ({ state: { comments }, part }) => comments.filter(({ issue }) => issue === part.issue),
  ],
  [
    /^POST issues\/(?<issue>\d+)\/comments$/,
    async ({ state: { comments }, request, part: { issue = "" } }) => {
      const { body } = JSON.parse(await bodyOf(request)) as { body: string };
      const comment = { id: comments.length + 1, issue, user: { login: "github-actions[bot]" }, body };
      comments.push(comment);
      return comment;
    },
  ],
  [
    /^PATCH issues\/comments\/(?<id>\d+)$/,
    async ({ state: { comments }, request, part }) => {
      const comment = comments.find(({ id }) => String(id) === part.id);
      if (comment !== undefined) comment.body = (JSON.parse(await bodyOf(request)) as { body: string }).body;
      return comment;
    },
  ],
];

/** The API of api.github.com. */
export function githubApi(state: ApiState): Handler {
  return async (request, response) => {
    const [scheme = "", given] = (request.headers.authorization ?? "").split(" ");
    if (!/^(token|bearer)$/i.test(scheme) || given !== state.token)
      return json(response, { message: "Bad credentials" }, 401);
    const { pathname } = new URL(request.url ?? "/", "https://api.github.com");
    const asked = `${request.method} ${pathname.replace(`/repos/${state.repository}/`, "")}`;
    for (const [pattern, answer] of routes) {
      const match = pattern.exec(asked);
      if (match === null) continue;
      const body = await answer({ state, request, part: match.groups ?? {} });
      if (body === undefined) break;
      if (!Buffer.isBuffer(body)) return json(response, body, request.method === "POST" ? 201 : 200);
      response.writeHead(200, { "content-type": "application/zip" }).end(body);
      return;
    }
    json(response, { message: "Not Found" }, 404);
  };
}
