import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { trust } from "../../../tools/github/rules.ts";
import { run } from "../../../tools/lib/run.ts";
import { randomText } from "../../unit/lib/values.ts";
import { zip } from "./zip.ts";

/** What workflows need of GitHub, Pulumi Cloud and Slack, on the loopback: real requests, each answered as far as a workflow asks. */
export interface LocalGitHub {
  readonly repository: string;
  /** The token that a job gets. */
  readonly token: string;
  /** The folder in which the stand-ins of actions find what they hand out, and leave what they were told. */
  readonly standIns: string;
  /** Lets a repository be fetched, from an empty one on. */
  addRepository(name: string): Promise<string>;
  /** Who has approved a run, by its id. */
  readonly approvals: Map<string, readonly { readonly state: string; readonly user: { readonly login: string } }[]>;
  /** The comments of pull requests. */
  readonly comments: Comment[];
  /** Lines that Slack was told. */
  readonly slack: string[];
  /** Each request, as `PROGRAM METHOD PATH STATUS`. */
  readonly requests: string[];
  readonly slackUrl: string;
  /** Makes a home in which git and gh reach this server by GitHub's own names, and answers the environment for it. */
  equip(home: string): Record<string, string>;
  stop(): Promise<void>;
}

export interface Comment {
  readonly id: number;
  readonly issue: string;
  readonly user: { readonly login: string };
  body: string;
}

/** Whose stacks the workflows may read and change. */
export const ORGANIZATION = "acme";
export const READ_TEAM = "readers";

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

async function listen(server: Server, where: string | number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (typeof where === "string") server.listen(where, resolve);
    else server.listen(where, "127.0.0.1", resolve);
  });
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const close = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

export async function startGitHub(repository: string): Promise<LocalGitHub> {
  const folder = mkdtempSync(join(tmpdir(), "autollm-github-"));
  const inFolder = (...parts: string[]) => join(folder, ...parts);
  const standIns = inFolder("stand-ins");
  mkdirSync(join(standIns, "artifacts"), { recursive: true });
  const token = randomText(40);
  const requests: string[] = [];
  const comments: Comment[] = [];
  const slack: string[] = [];
  const approvals: LocalGitHub["approvals"] = new Map();

  const note = (program: string, { method, url }: IncomingMessage, { statusCode }: ServerResponse) =>
    requests.push(`${program} ${method} ${url} ${statusCode}`);
  type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  const serve = (program: string, handler: Handler) => (request: IncomingMessage, response: ServerResponse) => {
    response.on("finish", () => note(program, request, response));
    handler(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  };
  const json = (response: ServerResponse, body: unknown, status = 200) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };

  // git over HTTPS: GitHub's name, a certificate of the test's own, and git's own server behind.
  const repositories = inFolder("repositories");
  const basic = `basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
  const git: Handler = async (request, response) => {
    const { pathname, search } = new URL(request.url ?? "/", "https://github.com");
    const given = request.headers.authorization;
    const pushes = pathname.endsWith("/git-receive-pack") || search.includes("git-receive-pack");
    if (given === undefined ? pushes : given.toLowerCase() !== basic.toLowerCase()) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' });
      response.end();
      return;
    }
    const child = spawn("git", ["http-backend"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: repositories,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        ...(given === undefined ? {} : { REMOTE_USER: "x-access-token" }),
      },
    });
    request.pipe(child.stdin.on("error", () => undefined));
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf("\r\n\r\n");
    for (const line of answer.subarray(0, end).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(": ", 2);
      if (name === "Status") response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  };
  const [key, cert] = [inFolder("key.pem"), inFolder("certificate.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=github.com", "-addext", "subjectAltName=DNS:github.com", "-keyout", key, "-out", cert],
  ]);
  const secure = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, serve("git", git));
  // git is told of it as of a proxy, which hands a connection to github.com to it and no other anywhere.
  const proxy = createServer((_, response) => response.writeHead(403).end());
  proxy.on("connect", ({ url }: IncomingMessage, socket) => {
    if (url !== "github.com:443") {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    secure.emit("connection", socket);
  });
  await listen(proxy, 0);

  // The REST API, which gh reaches by a socket in place of a connection to api.github.com.
  const artifactsOf = (id: string): readonly string[] => {
    try {
      return readdirSync(join(standIns, "artifacts", id)).sort();
    } catch {
      return [];
    }
  };
  const repo = `/repos/${repository}`;
  const api: Handler = async (request, response) => {
    if (
      !/^(token|bearer) /i.test(request.headers.authorization ?? "") ||
      !request.headers.authorization?.endsWith(token)
    )
      return json(response, { message: "Bad credentials" }, 401);
    const { pathname } = new URL(request.url ?? "/", "https://api.github.com");
    const below = pathname.startsWith(`${repo}/`) ? pathname.slice(repo.length + 1) : pathname;
    const asked = `${request.method} ${below}`;
    const [, runId = ""] = /^actions\/runs\/(\w+)\//.exec(below) ?? [];
    if (/^GET actions\/runs\/\w+\/artifacts$/.test(asked)) {
      const artifacts = artifactsOf(runId).map((name, id) => ({
        id,
        name,
        size_in_bytes: 1,
        expired: false,
        archive_download_url: `https://api.github.com${repo}/actions/runs/${runId}/artifacts/${name}/zip`,
      }));
      return json(response, { total_count: artifacts.length, artifacts });
    }
    if (/^GET actions\/runs\/\w+\/artifacts\/[\w-]+\/zip$/.test(asked)) {
      const artifact = join(standIns, "artifacts", runId, below.split("/").at(-2) ?? "");
      response.writeHead(200, { "content-type": "application/zip" });
      response.end(zip(new Map(readdirSync(artifact).map((name) => [name, readFileSync(join(artifact, name))]))));
      return;
    }
    if (/^GET actions\/runs\/\w+\/approvals$/.test(asked)) return json(response, approvals.get(runId) ?? []);
    const [, issue] = /^issues\/(\d+)\/comments$/.exec(below) ?? [];
    if (issue !== undefined && request.method === "GET")
      return json(
        response,
        comments.filter((comment) => comment.issue === issue),
      );
    if (issue !== undefined && request.method === "POST") {
      const { body } = JSON.parse(await textOf(request)) as { body: string };
      const comment = { id: comments.length + 1, issue, user: { login: "github-actions[bot]" }, body };
      comments.push(comment);
      return json(response, comment, 201);
    }
    const comment = comments.find(({ id }) => asked === `PATCH issues/comments/${id}`);
    if (comment === undefined) return json(response, { message: "Not Found" }, 404);
    comment.body = (JSON.parse(await textOf(request)) as { body: string }).body;
    return json(response, comment);
  };
  const rest = createServer(serve("gh", api));
  const socket = inFolder("api.sock");
  await listen(rest, socket);

  // Slack's webhook, and Pulumi Cloud as far as a login goes.
  const slackPath = `/services/${randomText(12)}`;
  const cloudToken = randomText(40);
  const others: Handler = async (request, response) => {
    const asked = `${request.method} ${request.url}`;
    if (asked === `POST ${slackPath}`) {
      slack.push((JSON.parse(await textOf(request)) as { text: string }).text);
      response.end("ok");
      return;
    }
    if (asked === "POST /api/oauth/token") {
      const fault = trustFault(repository, new URLSearchParams(await textOf(request)));
      return fault === undefined
        ? json(response, { access_token: cloudToken })
        : json(response, { message: fault }, 401);
    }
    if (request.headers.authorization !== `token ${cloudToken}`) return json(response, { message: "who?" }, 401);
    if (asked !== "GET /api/user") return json(response, {}, 404);
    return json(response, { githubLogin: "bot", organizations: [{ githubLogin: ORGANIZATION, name: ORGANIZATION }] });
  };
  const loopback = createServer(serve("http", others));
  await listen(loopback, 0);
  const here = `http://127.0.0.1:${portOf(loopback)}`;
  writeFileSync(
    join(standIns, "cloud.sh"),
    [
      "# The script's own `pulumi`, such as `pulumi org set-default`, speaks to Pulumi Cloud, and forgets the login with the home.",
      'pulumi() { PULUMI_HOME=$HOME/.pulumi PULUMI_BACKEND_URL=$AUTOLLM_PULUMI_CLOUD command pulumi "$@"; }',
      "",
    ].join("\n"),
  );

  return {
    repository,
    token,
    standIns,
    approvals,
    comments,
    slack,
    requests,
    slackUrl: `${here}${slackPath}`,
    async addRepository(name) {
      const path = join(repositories, name);
      mkdirSync(dirname(path), { recursive: true });
      await run("git", ["init", "--quiet", "--bare", "--initial-branch", "main", path]);
      // GitHub hands out each commit by its hash.
      await run("git", ["-C", path, "config", "uploadpack.allowAnySHA1InWant", "true"]);
      return path;
    },
    equip(home) {
      mkdirSync(join(home, ".config", "gh"), { recursive: true });
      writeFileSync(join(home, ".config", "gh", "config.yml"), `http_unix_socket: ${socket}\n`);
      writeFileSync(
        join(home, ".gitconfig"),
        `[http "https://github.com/"]\n\tproxy = http://127.0.0.1:${portOf(proxy)}\n[advice]\n\tdetachedHead = false\n`,
      );
      return {
        HOME: home,
        GIT_SSL_CAINFO: cert,
        GIT_TERMINAL_PROMPT: "0",
        AUTOLLM_STAND_INS: standIns,
        AUTOLLM_PULUMI_CLOUD: here,
      };
    },
    async stop() {
      for (const server of [proxy, secure, rest, loopback]) await close(server as Server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Policy {
  readonly tokenType: string;
  readonly teamName?: string;
  readonly rules: { readonly aud: string; readonly sub: string; readonly job_workflow_ref?: string };
}

/** Why Pulumi Cloud would refuse a token, by the policies that the rules print; the environment is not asked, as a job here has none. */
function trustFault(repository: string, asked: URLSearchParams): string | undefined {
  const get = (name: string) => asked.get(name) ?? "";
  const type = get("requested_token_type").replace("urn:pulumi:token-type:access_token:", "");
  const workflow = `${get("repository")}/.github/workflows/${get("workflow")}.yml@refs/heads/main`;
  const found = (trust(repository, ORGANIZATION, READ_TEAM) as readonly Policy[]).some(
    ({ tokenType, teamName, rules }) =>
      rules.aud === get("audience") &&
      tokenType === type &&
      get("scope") === (teamName === undefined ? "" : `team:${teamName}`) &&
      rules.sub.startsWith(`repo:${get("repository")}:`) &&
      (rules.job_workflow_ref ?? workflow) === workflow,
  );
  return found ? undefined : `no policy trusts ${asked}`;
}
