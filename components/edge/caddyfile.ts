import { basename, dirname } from "node:path/posix";

/** A way in at the edge. */
export interface Route {
  /** Paths as Caddy matches them. */
  readonly paths: readonly string[];
  /** `host:port` inside the edge segment. */
  readonly upstream: string;
  /** Whether the admin login stands before it, and the list of admin networks. */
  readonly login: boolean;
  /** Whether it serves pages with scripts of their own; an API's answers may load nothing. */
  readonly pages: boolean;
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
  /** While this file is there, each connection ends with its next answer, so that a reload finds none to cut. */
  readonly drainingFile: string;
}

/** Requests larger than this are refused; the API takes small JSON only. */
const MAX_BODY = "1MB";

/** The security headers of every answer (OWASP Secure Headers Project). Grafana needs its own inline styles and scripts. */
const headers: Readonly<Record<string, string>> = {
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "strict-origin-when-cross-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
};

/** What a browser may load for an answer: nothing, or what the page's own server gives it. Grafana's and Prometheus's pages run inline scripts. */
const contentPolicy = {
  none: "default-src 'none'; frame-ancestors 'none'",
  pages: [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; "),
} as const;
const allows = (policy: keyof typeof contentPolicy) => `header Content-Security-Policy "${contentPolicy[policy]}"`;

const indent = (lines: readonly string[]) => lines.map((line) => (line === "" ? "" : `\t${line}`));

/** One route's block. */
function routeBlock(
  { paths, upstream, login, pages }: Route,
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
      allows(pages ? "pages" : "none"),
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

/** The Caddyfile: certificates, headers, limits and routes. Everything that matches no route is a 404. */
export function caddyfile(args: CaddyfileArgs): string {
  const local = args.domain === "localhost";
  const site = [
    `header {`,
    ...indent(Object.entries(headers).map(([name, value]) => `${name} "${value}"`)),
    "\t-Server",
    "}",
    "@draining {",
    ...indent([
      "file {",
      `\troot ${dirname(args.drainingFile)}`,
      `\ttry_files ${basename(args.drainingFile)}`,
      "}",
      "not header Connection *pgrade*",
    ]),
    "}",
    // A reload closes idle connections at once: a client that is just sending its next request on one would see it fail.
    "header @draining Connection close",
    "request_body {",
    `\tmax_size ${MAX_BODY}`,
    "}",
    "handle /health {",
    ...indent([allows("none"), 'respond "ok" 200']),
    "}",
    ...args.routes.flatMap((route, index) => routeBlock(route, index, args)),
    "handle {",
    ...indent([allows("none"), 'respond "not found" 404']),
    "}",
    "log {",
    "\toutput stdout",
    "\tformat filter {",
    "\t\twrap json",
    "\t\tfields {",
    "\t\t\trequest>headers>Authorization delete",
    "\t\t\trequest>headers>Cookie delete",
    "\t\t\tresp_headers>Set-Cookie delete",
    "\t\t}",
    "\t}",
    "}",
  ];
  const apex = local ? "https://localhost, https://127.0.0.1" : args.domain;
  return [
    "{",
    ...indent([
      "admin 127.0.0.1:2019",
      "http_port 8080",
      "https_port 8443",
      ...(local ? ["local_certs", "skip_install_trust", "auto_https disable_redirects"] : []),
      "persist_config off",
      "servers {",
      ...indent([
        "timeouts {",
        "\tread_body 10s",
        "\tread_header 5s",
        "\twrite 60s",
        "\tidle 2m",
        "}",
        "max_header_size 16KB",
        "metrics",
      ]),
      "}",
    ]),
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
