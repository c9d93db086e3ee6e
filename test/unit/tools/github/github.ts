import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Record<string, unknown>;
interface Environment {
  body: Json;
  policies: { id: number; name: string; type: string }[];
  secrets: string[];
  adminsBypass: boolean;
}

/** A repository as GitHub would keep it, and a server that speaks of it as the REST API's documentation says. */
export class FakeGitHub {
  readonly environments = new Map<string, Environment>();
  readonly rulesets = new Map<number, Json>();
  readonly settings = new Map<string, Json>();
  repository: Json = { full_name: "o/r", delete_branch_on_merge: false, allow_merge_commit: true };
  secrets: string[] = [];
  organizationSecrets: string[] = [];
  codeOwners: string | undefined;
  codeOwnersErrors: Json[] = [];
  readonly writes: string[] = [];
  /** Authorization headers that were sent. */
  readonly tokens = new Set<string>();
  #next = 1;
  #server: Server | undefined;

  async start(): Promise<string> {
    this.#server = createServer(async (request, response) => {
      const answer = this.#answer(request.method ?? "", request.url ?? "", await bodyOf(request));
      this.tokens.add(request.headers.authorization ?? "");
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(answer.body === undefined ? "" : JSON.stringify(answer.body));
    });
    await new Promise<void>((done) => this.#server?.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await new Promise((done) => this.#server?.close(done));
  }

  /** A branch or a tag that may use an environment. */
  allow(environment: string, name: string, type: string): void {
    this.environments.get(environment)?.policies.push({ id: this.#next++, name, type });
  }

  #answer(method: string, url: string, body: Json): { status: number; body?: unknown } {
    const path = decodeURIComponent(url.split("?")[0] ?? "").slice(1);
    if (method !== "GET") this.writes.push(`${method} ${path}`);
    const user = /^(?:users|orgs\/[\w-]+\/teams)\/([\w-]+)$/.exec(path);
    if (user !== null) return user[1] === "nobody" ? missing : ok({ id: idOf(user[1] ?? ""), login: user[1] });
    if (path === "repos/o/r") {
      if (method === "PATCH") this.repository = { ...this.repository, ...body };
      return ok(this.repository);
    }
    const rest = path.startsWith("repos/o/r/") ? path.slice("repos/o/r/".length) : "";
    if (rest.startsWith("environments/")) return this.#environment(method, rest.split("/").slice(1), body);
    if (rest.startsWith("rulesets")) return this.#ruleset(method, rest.split("/")[1], body);
    if (rest === "actions/secrets") return ok(secretList(this.secrets));
    if (rest === "actions/organization-secrets") return ok(secretList(this.organizationSecrets));
    if (rest === "codeowners/errors") return ok({ errors: this.codeOwnersErrors });
    if (rest === "contents/.github/CODEOWNERS") {
      if (this.codeOwners === undefined) return missing;
      // GitHub breaks the text after every 60 characters.
      const content = Buffer.from(this.codeOwners).toString("base64").replace(/.{60}/g, "$&\n");
      return ok({ type: "file", encoding: "base64", path: ".github/CODEOWNERS", content });
    }
    if (rest.startsWith("actions/permissions")) {
      if (method === "GET") return ok(this.settings.get(rest) ?? {});
      this.settings.set(rest, body);
      return { status: 204 };
    }
    return missing;
  }

  #environment(method: string, [name = "", part, id]: string[], body: Json): { status: number; body?: unknown } {
    const there = this.environments.get(name);
    if (part === undefined && method === "PUT") {
      const before = there ?? { policies: [], secrets: [], adminsBypass: true };
      this.environments.set(name, { ...before, body });
      return ok({ name });
    }
    if (there === undefined) return missing;
    if (part === "secrets") return ok(secretList(there.secrets));
    if (part === "deployment-branch-policies") {
      if (method === "POST") this.allow(name, String(body.name), String(body.type));
      if (method === "DELETE") there.policies = there.policies.filter((policy) => String(policy.id) !== id);
      return method === "DELETE"
        ? { status: 204 }
        : ok({ total_count: there.policies.length, branch_policies: there.policies });
    }
    const { wait_timer: wait, prevent_self_review: self, deployment_branch_policy: policy } = there.body;
    const reviewers = there.body.reviewers as { type: string; id: number }[];
    const rules: Json[] = [];
    if (Number(wait) > 0) rules.push({ id: 1, node_id: "A", type: "wait_timer", wait_timer: wait });
    if (reviewers.length > 0)
      rules.push({
        id: 2,
        node_id: "B",
        type: "required_reviewers",
        prevent_self_review: self,
        reviewers: reviewers.map((each) => ({ type: each.type, reviewer: { id: each.id, node_id: "C" } })),
      });
    if (policy !== null) rules.push({ id: 3, node_id: "D", type: "branch_policy" });
    return ok({
      id: 9,
      name,
      can_admins_bypass: there.adminsBypass,
      protection_rules: rules,
      deployment_branch_policy: policy,
    });
  }

  #ruleset(method: string, id: string | undefined, body: Json): { status: number; body?: unknown } {
    if (method === "POST") this.rulesets.set(this.#next++, body);
    if (method === "PUT") this.rulesets.set(Number(id), body);
    if (id === undefined)
      return ok(
        [...this.rulesets].map(([number, { name, target, enforcement }]) => ({
          id: number,
          name,
          target,
          enforcement,
        })),
      );
    const there = this.rulesets.get(Number(id));
    return there === undefined ? missing : ok({ id: Number(id), source: "o/r", source_type: "Repository", ...there });
  }
}

const missing = { status: 404, body: { message: "Not Found", status: "404" } };
const ok = (body: unknown) => ({ status: 200, body });
const idOf = (name: string) => [...name].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 0) % 1_000_003;
const secretList = (names: readonly string[]) => ({
  total_count: names.length,
  secrets: names.map((name) => ({ name, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" })),
});

async function bodyOf(request: IncomingMessage): Promise<Json> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text === "" ? {} : (JSON.parse(text) as Json);
}
