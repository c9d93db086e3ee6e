import { describe, expect, it } from "vitest";
import { routes } from "../../../components/edge/routes.ts";
import { attemptKinds } from "../../../services/backup/src/attempts.ts";
import { block, handlerOf, localSite, publicSite, render, routeOf, trimmed } from "../lib/caddyfile.ts";

describe("a login", () => {
  const order = (path: string) =>
    handlerOf(path).filter((line) => /^(forward_auth|basic_auth|reverse_proxy|uri) /.test(line));

  it.each(["/prometheus/*", "/alertmanager/*", "/jaeger/*"])(
    "at %s is counted before its hash is computed, and given back when it was right",
    (path) => {
      const route = routeOf(path);
      expect(order(path)).toEqual([
        `forward_auth @admin-login${route} edge-limiter:9190 {`,
        "uri /take/admin-login?",
        "basic_auth {",
        "forward_auth edge-limiter:9190 {",
        "uri /return/admin-login?",
        `reverse_proxy ${routes[route]?.upstream} {`,
      ]);
      expect(trimmed(publicSite)).toContain(`@admin-login${route} header Authorization *`);
      // In this block Caddy keeps the order as written.
      expect(handlerOf(path)).toContain("route {");
    },
  );

  it("at Grafana, by its form or by a header, is counted before Grafana computes anything", () => {
    const route = routeOf("/grafana/*");
    expect(order("/grafana/*")).toEqual([
      `forward_auth @grafana-login${route} edge-limiter:9190 {`,
      "uri /take/grafana-login?",
      `forward_auth @grafana-token${route} edge-limiter:9190 {`,
      "uri /take/grafana-token?",
      "reverse_proxy grafana:3000 {",
    ]);
    expect(block(publicSite, `@grafana-login${route} {`)).toEqual(["path /grafana/login*", "not method GET HEAD"]);
    expect(trimmed(publicSite)).toContain(`@grafana-token${route} header Authorization *`);
  });

  it("is not needed for a request of a service to count, whatever it holds, before the service sees it", () => {
    for (const path of ["/api/*", "/admin/*", "/webhook/*"])
      expect(order(path)).toEqual([
        "forward_auth edge-limiter:9190 {",
        "uri /take/request?",
        "reverse_proxy gateway-api:8000 {",
      ]);
  });

  it("has a limit of its kind", () => {
    const asked = [...publicSite.matchAll(/uri \/(?:take|return)\/([^?\s]+)\?/g)].map(([, kind]) => kind ?? "");
    expect(new Set(asked)).toEqual(new Set(Object.keys(attemptKinds)));
  });

  it("is shown to nobody who only counts", () => {
    const asks = trimmed(publicSite).filter((line) => line.startsWith("forward_auth "));
    for (const hidden of ["header_up -Authorization", "header_up -Cookie", "header_up -X-Forwarded-Uri"])
      expect(trimmed(publicSite).filter((line) => line === hidden).length).toBeGreaterThanOrEqual(asks.length);
  });
});

describe("whose request it is", () => {
  const behind = render("trader.example.com", 443, { trustedProxies: ["198.51.100.0/24", "2001:db8:1::/48"] });

  it("is told by a proxy that is trusted, from the right, and by nobody else", () => {
    expect(block(behind, "servers {")).toEqual(
      expect.arrayContaining([
        "trusted_proxies static 198.51.100.0/24 2001:db8:1::/48",
        "trusted_proxies_strict",
        "client_ip_headers X-Forwarded-For",
      ]),
    );
    expect(publicSite).not.toContain("trusted_proxies");
  });

  it.each([publicSite, behind])("is told on as one address, whatever the client says of itself", (site) => {
    const lines = trimmed(site);
    const proxies = lines.filter((line) => line.startsWith("reverse_proxy "));
    expect(lines.filter((line) => line === "header_up X-Forwarded-For {client_ip}")).toHaveLength(proxies.length);
    for (const name of ["Forwarded", "X-Real-IP", "True-Client-IP"]) expect(lines).toContain(`request_header -${name}`);
  });
});

describe("a host that is not ours", () => {
  it.each(
    [publicSite, localSite].flatMap((site) => ["http:// {", "https:// {"].map((start) => [start, site] as const)),
  )("is refused on both ports, without the server's name: %s", (start, site) => {
    const lines = block(site, start);
    expect(lines).toContain('respond "misdirected request" 421');
    expect(lines).toEqual(expect.arrayContaining([...block(site, "header {")]));
    expect(lines).toContain("handle_errors {");
  });

  it("has no redirect of Caddy's own, which would name it", () => {
    for (const site of [publicSite, localSite]) expect(trimmed(site)).toContain("auto_https disable_redirects");
  });
});
