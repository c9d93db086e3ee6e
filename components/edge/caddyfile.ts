import { nameIn } from "../segments.ts";
import { type Content, contentPolicy, securityHeaders } from "./headers.ts";

/** A way in at the edge. */
export interface Route {
  /** Paths as Caddy matches them. */
  readonly paths: readonly string[];
  /** `host:port` in a segment that it shares with Caddy. */
  readonly upstream: string;
  /** Whether the admin login stands before it, and the list of admin networks. */
  readonly login: boolean;
  readonly content: Content;
}

export interface CaddyfileArgs {
  readonly domain: string;
  /** Published HTTPS port, for redirects. */
  readonly httpsPort: number;
  readonly routes: readonly Route[];
  /** File with `admin <bcrypt hash>`, the login of the admin pages; relative to the Caddyfile. */
  readonly loginFile: string;
  /** Networks from which the admin pages answer; empty for all. */
  readonly adminNetworks: readonly string[];
  /** Take certificates of Let's Encrypt's staging authority, which browsers do not trust and which limits nobody. */
  readonly acmeStaging: boolean;
}

/** Where the edge's own metrics are served, in the segment `caddy` alone. */
export const METRICS_PORT = 2020;

/** Where the edge listens: for the outside, and for what tries it. */
const LISTEN = `${nameIn("caddy", "public")} ${nameIn("caddy", "caddy")}`;

/** Requests larger than this are refused; the API takes small JSON only. */
const MAX_BODY = "1MB";

/** Let's Encrypt's authority for trying out. */
const ACME_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";

/** Parameters of an address that may hold a token; the log shows them without their value. */
const SECRET_PARAMETERS = ["access_token", "api_key", "auth_token", "code", "password", "token"];

const indent = (lines: readonly string[]) => lines.map((line) => (line === "" ? "" : `\t${line}`));

/** One route's block. */
function routeBlock(
  { paths, upstream, login, content }: Route,
  index: number,
  { loginFile, adminNetworks }: Pick<CaddyfileArgs, "loginFile" | "adminNetworks">,
): string[] {
  const matcher = `@route${index}`;
  const path = `path ${paths.join(" ")}`;
  return [
    // Elsewhere there is no such page.
    ...(login && adminNetworks.length > 0
      ? [`${matcher} {`, ...indent([path, `remote_ip ${adminNetworks.join(" ")}`]), "}"]
      : [`${matcher} ${path}`]),
    `handle ${matcher} {`,
    ...indent([
      `header >Content-Security-Policy "${contentPolicy(content)}"`,
      ...(login ? ["basicauth {", `\timport ${loginFile}`, "}"] : []),
      // A new container of a rolling deploy takes over: try again for a moment instead of failing the request.
      `reverse_proxy ${upstream} {`,
      "\tlb_try_duration 5s",
      "\tlb_try_interval 100ms",
      // A login for the edge is nothing that the page behind it should see.
      ...(login ? ["\theader_up -Authorization"] : []),
      "}",
    ]),
    "}",
  ];
}

/** The headers of every answer. */
function headerBlock(httpsPort: number): string[] {
  return [
    "header {",
    ...indent([
      ...Object.entries(securityHeaders).map(([name, value]) => `>${name} "${value}"`),
      `?Content-Security-Policy "${contentPolicy("data")}"`,
      // Caddy would tell its port inside the container, where no client finds HTTP/3.
      `>Alt-Svc "h3=\\":${httpsPort}\\"; ma=86400"`,
      "-Server",
      "-Via",
    ]),
    "}",
  ];
}

/** The Caddyfile: certificates, headers, limits and routes. Everything that matches no route is a 404. */
export function caddyfile(args: CaddyfileArgs): string {
  const local = args.domain === "localhost";
  const headers = headerBlock(args.httpsPort);
  const site = [
    ...headers,
    "request_body {",
    `\tmax_size ${MAX_BODY}`,
    "}",
    "handle /health {",
    '\trespond "ok" 200',
    "}",
    ...args.routes.flatMap((route, index) => routeBlock(route, index, args)),
    "handle {",
    '\trespond "not found" 404',
    "}",
    // What Caddy refuses by itself: it would answer without the headers, and with its name.
    "handle_errors {",
    ...indent([...headers, 'respond "{err.status_code} {err.status_text}"']),
    "}",
    "log {",
    "\toutput stdout",
    "\tformat filter {",
    "\t\twrap json",
    "\t\tfields {",
    "\t\t\trequest>headers>Authorization delete",
    "\t\t\trequest>headers>Cookie delete",
    "\t\t\tresp_headers>Set-Cookie delete",
    "\t\t\trequest>uri query {",
    ...SECRET_PARAMETERS.map((name) => `\t\t\t\treplace ${name} REDACTED`),
    "\t\t\t}",
    "\t\t}",
    "\t}",
    "}",
  ];
  const apex = local ? "https://localhost, https://127.0.0.1" : args.domain;
  return [
    "{",
    ...indent([
      "admin 127.0.0.1:2019",
      // In the other segments it only calls.
      `default_bind ${LISTEN}`,
      "http_port 8080",
      "https_port 8443",
      ...(local ? ["local_certs", "skip_install_trust", "auto_https disable_redirects"] : []),
      ...(!local && args.acmeStaging ? [`acme_ca ${ACME_STAGING}`] : []),
      "persist_config off",
      "metrics",
      "servers {",
      ...indent([
        "timeouts {",
        "\tread_body 10s",
        "\tread_header 5s",
        "\twrite 60s",
        "\tidle 2m",
        "}",
        "max_header_size 16KB",
      ]),
      "}",
    ]),
    "}",
    "",
    // For Prometheus; the port is published nowhere.
    `http://:${METRICS_PORT} {`,
    `\tbind ${nameIn("caddy", "caddy")}`,
    "\tmetrics /metrics",
    "}",
    "",
    `${apex} {`,
    ...indent(site),
    "}",
    ...(local
      ? ["", "http://localhost, http://127.0.0.1 {", `\tredir https://{host}:${args.httpsPort}{uri} permanent`, "}"]
      : ["", `www.${args.domain} {`, `\tredir https://${args.domain}{uri} permanent`, "}"]),
    "",
  ].join("\n");
}
