import { stringify } from "yaml";
import { type Domain, type Domains, signerOf } from "../edge/domains.ts";
import { routes } from "../edge/routes.ts";
import { EDGE_INSIDE } from "../edge/sockets.ts";
import type { ScrapeTarget } from "./prometheusConfig.ts";

const ADDRESS = "blackbox-exporter:9115";

/** Whoever stands behind the edge has answered, whatever it thinks of a caller without a token; 502 and its like are Caddy's own. */
const ANSWERED = [200, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429];
/** A login is asked for, or the caller's address is none of the admin networks. */
const CLOSED = [401, 404];

/** Who signs the certificate of a domain. */
function authorityOf({ chain }: Domain, [main]: Domains): "internal" | "public" | "supplied" {
  if (chain !== undefined) return "supplied";
  return main.name === "localhost" ? "internal" : "public";
}

/** How the certificate of a domain is checked. */
function trustOf(domain: Domain, domains: Domains): Readonly<Record<string, unknown>> {
  switch (authorityOf(domain, domains)) {
    case "internal":
      // Nobody knows Caddy's own authority.
      return { insecure_skip_verify: true };
    case "supplied":
      // The authority may be a company's own: the chain must be the one that was supplied.
      return { ca: signerOf(domain.chain ?? "") };
    case "public":
      // As a browser does.
      return {};
  }
}

/** The module that asks a domain for its health page, and the job that does; `domain` is the job `edge`. */
const healthOf = ({ name }: Domain, [main]: Domains) => (name === main.name ? "edge" : `domain-${name}`);

/** The blackbox exporter's configuration: the public pages, as a client asks for them. */
export function blackboxConfig(domains: Domains): string {
  const module = (domain: Domain, more: Readonly<Record<string, unknown>>) => ({
    prober: "http",
    timeout: "5s",
    http: {
      preferred_ip_protocol: "ip4",
      headers: { Host: domain.name },
      fail_if_not_ssl: true,
      tls_config: { server_name: domain.name, ...trustOf(domain, domains) },
      ...more,
    },
  });
  const [main] = domains;
  const health = domains.map(
    (domain) => [healthOf(domain, domains), module(domain, { fail_if_body_not_matches_regexp: ["^ok"] })] as const,
  );
  return stringify({
    modules: {
      ...Object.fromEntries(health),
      answers: module(main, { follow_redirects: false, valid_status_codes: ANSWERED }),
      closed: module(main, { follow_redirects: false, valid_status_codes: CLOSED }),
    },
  });
}

/** What is asked at the edge: each domain's health page and certificate, and each route, whether it answers or stays closed. */
export function edgeTargets(domains: Domains): readonly ScrapeTarget[] {
  const url = `${EDGE_INSIDE}/health`;
  return [
    ...domains.map((domain) => {
      const job = healthOf(domain, domains);
      const labels = { certificate: authorityOf(domain, domains), domain: domain.name };
      return { job, address: ADDRESS, probe: { module: job, url }, labels };
    }),
    ...routes.flatMap(({ paths, login }) =>
      paths
        .filter((path) => path.endsWith("/*"))
        .map((path) => path.slice(0, -1))
        .map((path) => ({
          job: `edge${path.slice(0, -1).replaceAll("/", "-")}`,
          address: ADDRESS,
          probe: { module: login ? "closed" : "answers", url: `${EDGE_INSIDE}${path}` },
          labels: { route: path, login: login ? "yes" : "no" },
          // Seldom enough that its refusals are no reason for a ban (host/edgeBans.ts).
          interval: "1m",
        })),
    ),
  ];
}
