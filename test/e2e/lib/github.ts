import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trust } from "../../../tools/github/rules.ts";
import { randomText } from "../../unit/lib/values.ts";
import { type Approval, type Comment, githubApi } from "./githubApi.ts";
import { startGitServer } from "./gitServer.ts";
import { bodyOf, closeServer, type Handler, json, portOf, startServer } from "./serve.ts";

/** What workflows need of GitHub, Pulumi Cloud and Slack, on the loopback: real requests, each answered as far as a workflow asks. */
export interface LocalGitHub {
  /** The token that a job gets. */
  readonly token: string;
  /** The folder in which the stand-ins of actions find what they hand out, and leave what they were told. */
  readonly standIns: string;
  /** Makes an empty repository, and answers its folder. */
  addRepository(name: string): Promise<string>;
  /** Who has approved a run, by its id. */
  readonly approvals: Map<string, readonly Approval[]>;
  /** The comments of pull requests. */
  readonly comments: readonly Comment[];
  /** Lines that Slack was told. */
  readonly slack: string[];
  readonly slackUrl: string;
  /** Makes a home in which git and gh reach it by GitHub's own names, and answers the environment for that. */
  equip(home: string): Record<string, string>;
  stop(): Promise<void>;
}

/** At Pulumi Cloud: whose stacks the workflows deploy, and who may read them. */
export const ORGANIZATION = "acme";
export const READ_TEAM = "readers";

export async function startGitHub(repository: string): Promise<LocalGitHub> {
  const folder = mkdtempSync(join(tmpdir(), "autollm-github-"));
  const standIns = join(folder, "stand-ins");
  const artifacts = join(standIns, "artifacts");
  mkdirSync(artifacts, { recursive: true });
  const token = randomText(40);
  const comments: Comment[] = [];
  const approvals: LocalGitHub["approvals"] = new Map();
  const slack: string[] = [];
  const slackPath = `/services/${randomText(12)}`;

  const git = await startGitServer(folder, token);
  // gh takes a socket in place of a connection to api.github.com.
  const socket = join(folder, "api.sock");
  const api = await startServer(githubApi({ repository, token, artifacts, approvals, comments }), socket);
  const cloud = pulumiCloud(repository);
  const others = await startServer(async (request, response) => {
    if (`${request.method} ${request.url}` !== `POST ${slackPath}`) return cloud(request, response);
    slack.push((JSON.parse(await bodyOf(request)) as { text: string }).text);
    response.end("ok");
  });
  const here = `http://127.0.0.1:${portOf(others)}`;
  writeFileSync(
    join(standIns, "cloud.sh"),
    [
      "# A script's own `pulumi`, such as `pulumi org set-default`, speaks to Pulumi Cloud, and keeps its login in the run's home.",
      'pulumi() { PULUMI_HOME=$HOME/.pulumi PULUMI_BACKEND_URL=$AUTOLLM_PULUMI_CLOUD command pulumi "$@"; }',
      "",
    ].join("\n"),
  );
  return {
    token,
    standIns,
    addRepository: git.addRepository,
    approvals,
    comments,
    slack,
    slackUrl: `${here}${slackPath}`,
    equip(home) {
      mkdirSync(join(home, ".config", "gh"), { recursive: true });
      writeFileSync(join(home, ".config", "gh", "config.yml"), `http_unix_socket: ${socket}\n`);
      writeFileSync(join(home, ".gitconfig"), `[http "https://github.com/"]\n\tproxy = ${git.proxy}\n`);
      return {
        HOME: home,
        GIT_SSL_CAINFO: git.certificate,
        GIT_TERMINAL_PROMPT: "0",
        AUTOLLM_STAND_INS: standIns,
        AUTOLLM_PULUMI_CLOUD: here,
      };
    },
    async stop() {
      await git.stop();
      await closeServer(api);
      await closeServer(others);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Pulumi Cloud as far as a login goes: it gives a token to whom the rules trust, and knows the token's owner. */
function pulumiCloud(repository: string): Handler {
  const token = randomText(40);
  return async (request, response) => {
    const asked = `${request.method} ${request.url}`;
    if (asked === "POST /api/oauth/token") {
      const question = new URLSearchParams(await bodyOf(request));
      return trusts(repository, question)
        ? json(response, { access_token: token })
        : json(response, { message: `no policy trusts ${question}` }, 401);
    }
    if (request.headers.authorization !== `token ${token}`) return json(response, { message: "Unauthorized" }, 401);
    if (asked !== "GET /api/user") return json(response, {}, 404);
    return json(response, { githubLogin: "bot", organizations: [{ githubLogin: ORGANIZATION, name: ORGANIZATION }] });
  };
}

interface Policy {
  readonly tokenType: string;
  readonly teamName?: string;
  readonly rules: { readonly aud: string; readonly sub: string; readonly job_workflow_ref?: string };
}

/** Whether one of the policies that the rules print gives the token. The environment is not asked: act knows none. */
function trusts(repository: string, question: URLSearchParams): boolean {
  const get = (name: string) => question.get(name) ?? "";
  const workflow = `${get("repository")}/.github/workflows/${get("workflow")}.yml@refs/heads/main`;
  return (trust(repository, ORGANIZATION, READ_TEAM) as readonly Policy[]).some(
    ({ tokenType, teamName, rules }) =>
      rules.aud === get("audience") &&
      get("requested_token_type") === `urn:pulumi:token-type:access_token:${tokenType}` &&
      get("scope") === (teamName === undefined ? "" : `team:${teamName}`) &&
      rules.sub.startsWith(`repo:${get("repository")}:`) &&
      (rules.job_workflow_ref ?? workflow) === workflow,
  );
}
