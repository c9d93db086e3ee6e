import { type Content, contentPolicy } from "./headers.ts";
import { CLIENT_HEADER, LIMITER } from "./limiter.ts";

/** Requests that are counted per client, and refused over a limit. */
export interface Attempt {
  /** Their limit: see services/backup/src/attempts.ts. */
  readonly kind: string;
  /** Caddy's matchers, all of which must hold; none for every request. */
  readonly match: readonly string[];
}

/** A route at the edge. */
export interface Route {
  /** Paths as Caddy matches them. */
  readonly paths: readonly string[];
  /** `host:port` inside the edge segment. */
  readonly upstream: string;
  /** Whether it is for administrators: outside the admin networks it answers 404. */
  readonly admin: boolean;
  /** Whether it requires the edge's own login. */
  readonly login: boolean;
  /** The limits that the edge applies before the service behind gets the request, in that order. */
  readonly attempts?: readonly Attempt[];
  /** Paths below it that are only for inside the stack: they answer 404. */
  readonly closed?: readonly string[];
  readonly content: Content;
}

export interface RouteArgs {
  /** File with `admin <bcrypt hash>`, the login of the admin pages; relative to the Caddyfile. */
  readonly loginFile: string;
  /** Networks from which the admin pages answer; empty for all. */
  readonly adminNetworks: readonly string[];
}

/** Any request to a service. */
export const anyRequest: Attempt = { kind: "request", match: [] };

/** The edge's own login. */
const adminLogin: Attempt = { kind: "admin-login", match: ["header Authorization *"] };

export const indent = (lines: readonly string[]) => lines.map((line) => (line === "" ? "" : `\t${line}`));

/** The matcher that keeps an administrators' page to their networks; none if all may see it. */
const administrators = (adminNetworks: readonly string[]) =>
  adminNetworks.length > 0 ? [`client_ip ${adminNetworks.join(" ")}`] : [];

/** The root leads administrators to a page of theirs; to others it does not exist, as that page does not. */
export function homeBlock(page: string, { adminNetworks }: Pick<RouteArgs, "adminNetworks">): string[] {
  return [
    ...matcher("@home", ["path /", "method GET HEAD", ...administrators(adminNetworks)]),
    "handle @home {",
    `\tredir * ${page} 302`,
    "}",
  ];
}

/** A matcher of one line or more; none if there is nothing to match. */
function matcher(name: string, conditions: readonly string[]): string[] {
  if (conditions.length === 0) return [];
  return conditions.length === 1 ? [`${name} ${conditions[0]}`] : [`${name} {`, ...indent(conditions), "}"];
}

/** Asks the limiter; if it refuses or does not answer, the request ends. */
function ask(uri: string, condition = ""): string[] {
  return [
    `forward_auth ${condition}${LIMITER} {`,
    ...indent([
      // The question mark drops the request's own query, which Caddy would keep.
      `uri ${uri}?`,
      `header_up ${CLIENT_HEADER} {client_ip}`,
      // It only counts, and needs nothing else.
      "header_up -Authorization",
      "header_up -Cookie",
      "header_up -X-Forwarded-Uri",
      // As long as Docker needs to restart it, and longer than it needs to answer.
      "lb_try_duration 5s",
      "lb_try_interval 100ms",
      "transport http {",
      "\tresponse_header_timeout 4s",
      "}",
    ]),
    "}",
  ];
}

/** One route's block. */
export function routeBlock(
  { paths, upstream, admin, login, attempts = [], closed = [], content }: Route,
  index: number,
  { loginFile, adminNetworks }: RouteArgs,
): string[] {
  const limited = login ? [adminLogin, ...attempts] : attempts;
  const conditions = [
    `path ${paths.join(" ")}`,
    ...(closed.length > 0 ? [`not path ${closed.join(" ")}`] : []),
    ...(admin ? administrators(adminNetworks) : []),
  ];
  return [
    // Outside these networks the page does not exist.
    ...matcher(`@route${index}`, conditions),
    ...limited.flatMap(({ kind, match }) => matcher(`@${kind}${index}`, match)),
    `handle @route${index} {`,
    ...indent([
      `header >Content-Security-Policy "${contentPolicy(content)}"`,
      // In this order: by its own order Caddy would compute the password's hash before it asks the limiter.
      "route {",
      ...indent([
        ...limited.flatMap(({ kind, match }) => ask(`/take/${kind}`, match.length === 0 ? "" : `@${kind}${index} `)),
        ...(login ? ["basic_auth {", `\timport ${loginFile}`, "}", ...ask(`/return/${adminLogin.kind}`)] : []),
        // A new container of a rolling deploy takes over: retry for a moment instead of failing the request.
        `reverse_proxy ${upstream} {`,
        "\tlb_try_duration 5s",
        "\tlb_try_interval 100ms",
        // One entry: what a client or a proxy before us claims is not passed on.
        "\theader_up X-Forwarded-For {client_ip}",
        // The service behind must not get the edge's login.
        ...(login ? ["\theader_up -Authorization"] : []),
        "}",
      ]),
      "}",
    ]),
    "}",
  ];
}
