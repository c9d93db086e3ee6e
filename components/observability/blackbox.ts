import { stringify } from "yaml";
import { type Domain, type Domains, signerOf } from "../edge/domains.ts";
import { routes } from "../edge/routes.ts";
import { EDGE_INSIDE } from "../edge/sockets.ts";
import { addressOf } from "../parts.ts";
import type { ScrapeTarget } from "./prometheusConfig.ts";

const ADDRESS = addressOf("blackbox-exporter");

/** The service behind the edge has answered, whatever its status for a caller without a token; 502 and the like are Caddy's own. */
const ANSWERED = [200, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429];
/** A login is required, or the caller's address is not in the admin networks. */
const CLOSED = [401, 404];

/** The signer of a domain's certificate. */
function authorityOf({ chain }: Domain, [main]: Domains): "internal" | "public" | "supplied" {
  if (chain !== undefined) return "supplied";
  return main.name === "localhost" ? "internal" : "public";
}

/** How the certificate of a domain is checked. */
function trustOf(domain: Domain, domains: Domains): Readonly<Record<string, unknown>> {
  switch (authorityOf(domain, domains)) {
    case "internal":
      // No client trusts Caddy's own authority.
      return { insecure_skip_verify: true };
    case "supplied":
      // The authority may be a company's own: the chain must be the one that was supplied.
      return { ca: signerOf(domain.chain ?? "") };
    case "public":
      // As a browser does.
      return {};
  }
}

/** The module that requests a domain's health page, and the job that does; `domain` is the job `edge`. */
const healthOf = ({ name }: Domain, [main]: Domains) => (name === main.name ? "edge" : `domain-${name}`);

/** The blackbox exporter's configuration: the public pages, as a client requests them. */
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

/** The probes at the edge: each domain's health page and certificate, and whether each route answers or stays closed. */
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
          // Rare enough that its refusals cause no ban (host/edgeBans.ts).
          interval: "1m",
        })),
    ),
  ];
}
