import { type Content, contentPolicy } from "./headers.ts";
import { CLIENT_HEADER, LIMITER } from "./limiter.ts";

/** Requests that are counted per client, and refused over a limit. */
export interface Attempt {
  /** The limit that holds for them: see services/backup/src/attempts.ts. */
  readonly kind: string;
  /** Caddy's matchers, all of which must hold; none for every request. */
  readonly match: readonly string[];
}

/** A way in at the edge. */
export interface Route {
  /** Paths as Caddy matches them. */
  readonly paths: readonly string[];
  /** `host:port` inside the edge segment. */
  readonly upstream: string;
  /** Whether it is for administrators: elsewhere than in the admin networks it is not found. */
  readonly admin: boolean;
  /** Whether the edge's own login stands before it. */
  readonly login: boolean;
  /** What the edge limits before the page behind it sees anything: in that order. */
  readonly attempts?: readonly Attempt[];
  /** Paths below it that are for the inside alone: they are not found. */
  readonly closed?: readonly string[];
  readonly content: Content;
}

export interface RouteArgs {
  /** File with `admin <bcrypt hash>`, the login of the admin pages; relative to the Caddyfile. */
  readonly loginFile: string;
  /** Networks from which the admin pages answer; empty for all. */
  readonly adminNetworks: readonly string[];
}

/** A request of a service, whatever the service does with it. */
export const anyRequest: Attempt = { kind: "request", match: [] };

/** The edge's own login. */
const adminLogin: Attempt = { kind: "admin-login", match: ["header Authorization *"] };

export const indent = (lines: readonly string[]) => lines.map((line) => (line === "" ? "" : `\t${line}`));

/** A matcher of one line or more; none where there is nothing to match. */
function matcher(name: string, conditions: readonly string[]): string[] {
  if (conditions.length === 0) return [];
  return conditions.length === 1 ? [`${name} ${conditions[0]}`] : [`${name} {`, ...indent(conditions), "}"];
}

/** Asks the limiter; whatever it refuses, or cannot answer, ends the request. */
function ask(uri: string, condition = ""): string[] {
  return [
    `forward_auth ${condition}${LIMITER} {`,
    ...indent([
      // The question mark drops the request's own query, which Caddy would keep.
      `uri ${uri}?`,
      `header_up ${CLIENT_HEADER} {client_ip}`,
      // It counts, and needs to know nothing else.
      "header_up -Authorization",
      "header_up -Cookie",
      "header_up -X-Forwarded-Uri",
      // As long as Docker takes to start it again, and longer than it takes to answer.
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
    ...(admin && adminNetworks.length > 0 ? [`client_ip ${adminNetworks.join(" ")}`] : []),
  ];
  return [
    // Elsewhere there is no such page.
    ...matcher(`@route${index}`, conditions),
    ...limited.flatMap(({ kind, match }) => matcher(`@${kind}${index}`, match)),
    `handle @route${index} {`,
    ...indent([
      `header >Content-Security-Policy "${contentPolicy(content)}"`,
      // As written: by its own order Caddy would compute the password's hash before it asks.
      "route {",
      ...indent([
        ...limited.flatMap(({ kind, match }) => ask(`/take/${kind}`, match.length === 0 ? "" : `@${kind}${index} `)),
        ...(login ? ["basic_auth {", `\timport ${loginFile}`, "}", ...ask(`/return/${adminLogin.kind}`)] : []),
        // A new container of a rolling deploy takes over: try again for a moment instead of failing the request.
        `reverse_proxy ${upstream} {`,
        "\tlb_try_duration 5s",
        "\tlb_try_interval 100ms",
        // One entry: whatever a client or a proxy before us says of itself ends here.
        "\theader_up X-Forwarded-For {client_ip}",
        // A login for the edge is nothing that the page behind it should see.
        ...(login ? ["\theader_up -Authorization"] : []),
        "}",
      ]),
      "}",
    ]),
    "}",
  ];
}
