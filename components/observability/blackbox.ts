import { stringify } from "yaml";
import { routes } from "../edge/routes.ts";
import { EDGE_INSIDE } from "../edge/sockets.ts";
import type { ScrapeTarget } from "./prometheusConfig.ts";

const ADDRESS = "blackbox-exporter:9115";

/** Whoever stands behind the edge has answered, whatever it thinks of a caller without a token; 502 and its like are Caddy's own. */
const ANSWERED = [200, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 429];
/** A login is asked for, or the caller's address is none of the admin networks. */
const CLOSED = [401, 404];

/** The blackbox exporter's configuration: the public pages, as a client asks for them. */
export function blackboxConfig(domain: string): string {
  const module = (more: Readonly<Record<string, unknown>>) => ({
    prober: "http",
    timeout: "5s",
    http: {
      preferred_ip_protocol: "ip4",
      headers: { Host: domain },
      fail_if_not_ssl: true,
      // Caddy's own authority is known to nobody; a public certificate is checked like a browser does.
      tls_config: { server_name: domain, ...(domain === "localhost" ? { insecure_skip_verify: true } : {}) },
      ...more,
    },
  });
  return stringify({
    modules: {
      edge: module({ fail_if_body_not_matches_regexp: ["^ok"] }),
      answers: module({ follow_redirects: false, valid_status_codes: ANSWERED }),
      closed: module({ follow_redirects: false, valid_status_codes: CLOSED }),
    },
  });
}

/** What is asked at the edge: the health page and its certificate, and each route, whether it answers or stays closed. */
export function edgeTargets(domain: string): readonly ScrapeTarget[] {
  const certificate = domain === "localhost" ? "internal" : "public";
  const health = { module: "edge", url: `${EDGE_INSIDE}/health` };
  return [
    { job: "edge", address: ADDRESS, probe: health, labels: { certificate } },
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
