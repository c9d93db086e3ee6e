import { LIVE_CURRENT } from "../runtime/liveFiles.ts";
import { certificateFiles, covers, type Domain, type Domains } from "./domains.ts";
import { contentPolicy, securityHeaders } from "./headers.ts";
import { homeBlock, indent, type Route, type RouteArgs, routeBlock } from "./route.ts";
import { bindTo, sockets } from "./sockets.ts";

export interface CaddyfileArgs extends RouteArgs {
  /** The host names at which it answers. */
  readonly domains: Domains;
  /** Published HTTPS port, for redirects. */
  readonly httpsPort: number;
  readonly routes: readonly Route[];
  /** Networks of proxies before the edge, which name a request's client in X-Forwarded-For; empty for none. */
  readonly trustedProxies: readonly string[];
  /** Take certificates of Let's Encrypt's staging authority, which browsers do not trust and which has no rate limits. */
  readonly acmeStaging: boolean;
}

/** Seconds in which a request must be received, and in which its answer must be read. */
const READ_SECONDS = 10;
const WRITE_SECONDS = 60;

/**
 * Seconds in which a Caddy that is about to end, or a configuration that is replaced, still accepts requests, and tells each client
 * to make another connection: longer than the pauses of an active client.
 */
const LEAVING_SECONDS = 5;
/**
 * Seconds in which a Caddy that ends finishes what it has begun: as long as a request may take. Docker keeps the limit, not Caddy's
 * `grace_period`: with that, a reload cuts what is under way over HTTP/3 (seen with 2.11.4).
 */
const GRACE_SECONDS = READ_SECONDS + WRITE_SECONDS;
/** Most seconds between the signal to end and the end. */
export const DRAIN_SECONDS = LEAVING_SECONDS + GRACE_SECONDS;

/** Ends a connection with the answer (HTTP/1.1), or tells the client to send no more requests on it (HTTP/2); HTTP/3 has no such header. */
const leaving = [
  "@leaving {",
  "\tvars {http.shutting_down} true",
  "\tnot protocol http/3+",
  "}",
  "header @leaving Connection close",
];

/** Requests larger than this are refused; the API takes small JSON only. */
const MAX_BODY = "1MB";

/** Where `/` leads. */
const HOME = "/grafana/";

/** Let's Encrypt's authority for tests. */
const ACME_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";

/** The environment variable with the path of the files that a check reads before they are in force. */
export const FILES_VARIABLE = "EDGE_FILES";

/** The certificate of a site: the supplied one, or Caddy's own. */
function certificateBlock(domain: Domain): string[] {
  if (domain.chain === undefined) return [];
  const { certificate, key } = certificateFiles(domain);
  const path = (file: string) => `{$${FILES_VARIABLE}:${LIVE_CURRENT}}/${file}`;
  return [`tls ${path(certificate)} ${path(key)}`];
}

/** Parameters of an address that may hold a token; the log shows them without their value. */
const SECRET_PARAMETERS = ["access_token", "api_key", "auth_token", "code", "password", "token"];

/** Other headers in which a client may claim an address: no service behind the edge gets them. */
const CLAIMED = ["Forwarded", "X-Real-IP", "True-Client-IP"];

/** The headers of every answer. */
function headerBlock(httpsPort: number): string[] {
  return [
    "header {",
    ...indent([
      ...Object.entries(securityHeaders).map(([name, value]) => `>${name} "${value}"`),
      `?Content-Security-Policy "${contentPolicy("data")}"`,
      // Caddy would announce its port inside the container, where no client reaches HTTP/3.
      `>Alt-Svc "h3=\\":${httpsPort}\\"; ma=86400"`,
      "-Server",
      "-Via",
    ]),
    "}",
  ];
}

/** What is logged of each request. */
const log = [
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

/** Settings for every host. */
function serverBlock(trustedProxies: readonly string[]): string[] {
  return [
    "servers {",
    ...indent([
      "timeouts {",
      `\tread_body ${READ_SECONDS}s`,
      "\tread_header 5s",
      `\twrite ${WRITE_SECONDS}s`,
      "\tidle 2m",
      "}",
      "max_header_size 16KB",
      // An attacker on the path can replay what arrives before the handshake's end (RFC 8470).
      "0rtt off",
      ...(trustedProxies.length === 0
        ? []
        : [
            `trusted_proxies static ${trustedProxies.join(" ")}`,
            // Read from the right: what a client itself wrote is left of what a proxy added.
            "trusted_proxies_strict",
            "client_ip_headers X-Forwarded-For",
          ]),
    ]),
    "}",
  ];
}

/** The Caddyfile: certificates, headers, limits and routes. A request that matches no route gets a 404, and a host that is not ours a 421. */
export function caddyfile(args: CaddyfileArgs): string {
  const { domains, httpsPort } = args;
  const [main, ...further] = domains;
  const local = main.name === "localhost";
  const headers = headerBlock(httpsPort);
  // Requests that Caddy refuses by itself: without this it would answer without the headers, and with its name.
  const refusals = ["handle_errors {", ...indent([...headers, 'respond "{err.status_code} {err.status_text}"']), "}"];
  const secure = bindTo("https", "quic");
  const plain = [...bindTo("http"), ...leaving];
  const site = [
    ...secure,
    ...leaving,
    ...headers,
    ...CLAIMED.map((name) => `request_header -${name}`),
    "request_body {",
    `\tmax_size ${MAX_BODY}`,
    "}",
    "handle /health {",
    '\trespond "ok" 200',
    "}",
    ...args.routes.flatMap((route, index) => routeBlock(route, index, args)),
    ...homeBlock(HOME, args),
    "handle {",
    '\trespond "not found" 404',
    "}",
    ...refusals,
    ...log,
  ];
  const block = (hosts: string, lines: readonly string[]) => ["", `${hosts} {`, ...indent(lines), "}"];
  const redirect = (to: string) => [...headers, `redir ${to} 308`];
  const misdirected = [...headers, 'respond "misdirected request" 421', ...refusals, ...log];
  const port = httpsPort === 443 ? "" : `:${httpsPort}`;
  // Its www redirects to it, unless that is a separate domain; by HTTPS if it has a certificate.
  const alias = `www.${main.name}`;
  const listed = further.some(({ name }) => name === alias);
  const www = !local && !listed && (main.chain === undefined || covers(main.chain, alias));
  const toMain = redirect(`https://${main.name}${port}{uri}`);
  return [
    "{",
    ...indent([
      "admin 127.0.0.1:2019",
      `http_port ${sockets.http.port}`,
      `https_port ${sockets.https.port}`,
      `shutdown_delay ${LEAVING_SECONDS}s`,
      // Our own redirects, below, have the headers.
      "auto_https disable_redirects",
      ...(local ? ["local_certs", "skip_install_trust"] : []),
      ...(!local && args.acmeStaging ? [`acme_ca ${ACME_STAGING}`] : []),
      "persist_config off",
      "metrics",
      ...serverBlock(args.trustedProxies),
    ]),
    "}",
    // For Prometheus; the port is published nowhere.
    ...block(`http://:${sockets.metrics.port}`, [...bindTo("metrics"), "metrics /metrics"]),
    ...block(local ? "https://localhost, https://127.0.0.1" : main.name, [...certificateBlock(main), ...site]),
    ...(www ? block(`https://${alias}`, [...certificateBlock(main), ...secure, ...leaving, ...toMain]) : []),
    ...(local
      ? block("http://localhost, http://127.0.0.1", [...plain, ...redirect(`https://{host}${port}{uri}`)])
      : block(`http://${main.name}${listed ? "" : `, http://${alias}`}`, [...plain, ...toMain])),
    ...further.flatMap((each) => [
      ...block(each.name, [...certificateBlock(each), ...site]),
      ...block(`http://${each.name}`, [...plain, ...redirect(`https://${each.name}${port}{uri}`)]),
    ]),
    // RFC 9110, 15.5.20. Without these Caddy answers any other host with an empty 200 and its name.
    ...block("http://", [...plain, ...misdirected]),
    ...block("https://", [...secure, ...leaving, ...misdirected]),
    "",
  ].join("\n");
}
