import bcrypt from "bcryptjs";
import { describe, expect, it } from "vitest";
import { loginHash } from "../../../components/edge/caddy.ts";
import { routes } from "../../../components/edge/routes.ts";
import { formerScript } from "../../../components/edge/sockets.ts";
import { block, handlerOf, localSite, matcherOf, publicSite, render, trimmed } from "../lib/caddyfile.ts";
import { localConfig, runPlatform } from "../lib/platform.ts";
import { randomText } from "../lib/values.ts";

describe("the way in", () => {
  it.each([
    ["/api/*", "gateway-api:8000"],
    ["/admin/*", "gateway-api:8000"],
    ["/webhook/*", "gateway-api:8000"],
    ["/grafana/*", "grafana:3000"],
    ["/prometheus/*", "prometheus:9090"],
    ["/alertmanager/*", "alertmanager:9093"],
    ["/jaeger/*", "jaeger:16686"],
  ])("%s leads to %s", (path, upstream) => expect(handlerOf(path)).toContain(`reverse_proxy ${upstream} {`));

  it("answers /health itself, so that it says something about the edge alone", () => {
    expect(block(publicSite, "handle /health {")).toContain('respond "ok" 200');
  });

  it("leads from / to Grafana", () => {
    expect(block(publicSite, "handle @home {")).toContain("redir * /grafana/ 302");
    expect(block(publicSite, "@home {")).toEqual(expect.arrayContaining(["path /", "method GET HEAD"]));
  });

  it("is closed for whatever is not listed", () => {
    expect(block(publicSite, "handle {")).toContain('respond "not found" 404');
  });

  it.each(["/prometheus/*", "/alertmanager/*", "/jaeger/*"])(
    "asks for a login before %s, and does not pass it on",
    (path) => {
      expect(handlerOf(path)).toEqual(
        expect.arrayContaining(["basic_auth {", "import secrets/login", "header_up -Authorization"]),
      );
    },
  );

  it("passes the API's own tokens on", () => {
    expect(handlerOf("/api/*")).not.toContain("basic_auth {");
    const upstream = handlerOf("/api/*").indexOf("reverse_proxy gateway-api:8000 {");
    expect(handlerOf("/api/*").slice(upstream)).not.toContain("header_up -Authorization");
  });

  it("tries again for a moment while a rolling deploy moves a service", () => {
    for (const path of ["/api/*", "/grafana/*"]) {
      expect(handlerOf(path)).toEqual(expect.arrayContaining(["lb_try_duration 5s", "lb_try_interval 100ms"]));
    }
  });

  it("never leads to a database, NATS, the broker or Docker", () => {
    const upstreams = routes.map(({ upstream }) => upstream.split(":")[0]);
    for (const closed of ["postgres", "redis", "nats", "ib-gateway", "caddy"]) expect(upstreams).not.toContain(closed);
  });
});

describe("the list of admin networks", () => {
  const site = render("trader.example.com", 443, { adminNetworks: ["192.0.2.0/24", "2001:db8::1"] });

  it.each(["/grafana/*", "/prometheus/*", "/alertmanager/*", "/jaeger/*"])("hides %s from everybody else", (path) => {
    expect(matcherOf(path, site)).toContain("client_ip 192.0.2.0/24 2001:db8::1");
    expect(block(site, "@home {")).toContain("client_ip 192.0.2.0/24 2001:db8::1");
  });

  it("hides nothing but the four admin pages and the way to them from /", () => {
    expect(trimmed(site).filter((line) => line.startsWith("client_ip "))).toHaveLength(5);
    expect(routes.filter(({ admin }) => !admin).map(({ upstream }) => upstream)).toEqual(["gateway-api:8000"]);
  });

  it("is empty by default: the login alone stands before them", () => {
    expect(publicSite).not.toMatch(/(client|remote)_ip /);
  });
});

describe("Grafana's metrics", () => {
  it("are for Prometheus inside, and not found at the edge", () => {
    expect(matcherOf("/grafana/*", publicSite)).toContain("not path /grafana/metrics /grafana/metrics/*");
  });
});

describe("every answer", () => {
  it.each([
    ["X-Permitted-Cross-Domain-Policies", "none"],
    ["Cross-Origin-Opener-Policy", "same-origin"],
    ["Cross-Origin-Resource-Policy", "same-origin"],
    ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"],
    ["X-Content-Type-Options", "nosniff"],
    ["X-Frame-Options", "DENY"],
    ["Referrer-Policy", "strict-origin-when-cross-origin"],
    ["Permissions-Policy", "camera=(), geolocation=(), microphone=()"],
  ])("carries %s", (name, value) => expect(block(publicSite, "header {")).toContain(`>${name} "${value}"`));

  it("allows a page nothing, unless it is an application's, and those no code but their own", () => {
    expect(block(publicSite, "header {")).toContain(
      `?Content-Security-Policy "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"`,
    );
    const policyOf = (path: string) => handlerOf(path).find((line) => line.includes("Content-Security-Policy")) ?? "";
    expect(policyOf("/api/*")).toContain("default-src 'none'");
    for (const path of ["/grafana/*", "/prometheus/*", "/alertmanager/*", "/jaeger/*"]) {
      expect(policyOf(path)).toContain("default-src 'self'");
      expect(policyOf(path)).toContain("frame-ancestors 'none'");
      expect(policyOf(path)).not.toMatch(/\*|https?:/);
      expect(policyOf(path).includes("unsafe-eval"), path).toBe(path === "/grafana/*");
    }
  });

  it("tells the port on which HTTP/3 is published, not the one inside the container", () => {
    expect(block(publicSite, "header {")).toContain(`>Alt-Svc "h3=\\":443\\"; ma=86400"`);
    expect(block(localSite, "header {")).toContain(`>Alt-Svc "h3=\\":8443\\"; ma=86400"`);
  });

  it("does not tell the server's name", () => expect(block(publicSite, "header {")).toContain("-Server"));

  it("is so also where Caddy itself refuses", () => {
    const headers = block(publicSite, "header {");
    expect(headers.length).toBeGreaterThan(8);
    expect(block(publicSite, "handle_errors {")).toEqual([
      "header {",
      ...headers,
      "}",
      'respond "{err.status_code} {err.status_text}"',
    ]);
  });
});

describe("limits", () => {
  it("refuse a large or a slow request", () => {
    expect(block(publicSite, "request_body {")).toEqual(["max_size 1MB"]);
    expect(block(publicSite, "timeouts {")).toEqual(["read_body 10s", "read_header 5s", "write 60s", "idle 2m"]);
    expect(trimmed(publicSite)).toContain("max_header_size 16KB");
  });

  it("keep the admin interface inside the container", () => {
    expect(trimmed(publicSite)).toContain("admin 127.0.0.1:2019");
    expect(trimmed(publicSite)).toContain("persist_config off");
  });

  it("keep tokens, logins and cookies out of the log", () => {
    expect(block(publicSite, "fields {")).toEqual([
      "request>headers>Authorization delete",
      "request>headers>Cookie delete",
      "resp_headers>Set-Cookie delete",
      "request>uri query {",
      ...["access_token", "api_key", "auth_token", "code", "password", "token"].map(
        (name) => `replace ${name} REDACTED`,
      ),
      "}",
    ]);
  });
});

describe("a public domain", () => {
  it("gets its certificate from ACME, and www leads to the apex", () => {
    expect(publicSite).toContain("\ntrader.example.com {\n");
    for (const hosts of ["https://www.trader.example.com", "http://trader.example.com, http://www.trader.example.com"])
      expect(block(publicSite, `${hosts} {`).slice(-3 - block(publicSite, "header {").length)).toEqual([
        "header {",
        ...block(publicSite, "header {"),
        "}",
        "redir https://trader.example.com{uri} 308",
      ]);
    expect(publicSite).not.toContain("local_certs");
  });
});

describe("a domain that is tried out", () => {
  it("takes its certificate from the authority for that, and only then", () => {
    const tried = trimmed(render("trader.example.com", 443, { acmeStaging: true }));
    expect(tried).toContain("acme_ca https://acme-staging-v02.api.letsencrypt.org/directory");
    expect(publicSite).not.toContain("acme_ca");
    expect(render("localhost", 8443, { acmeStaging: true })).not.toContain("acme_ca");
  });
});

describe("a Caddy that is replaced", () => {
  it.each(["http:// {", "https:// {", "trader.example.com {"])(
    "%s listens at the sockets that it is given",
    (start) => {
      const bound = block(publicSite, start).filter((line) => line.startsWith("bind "));
      expect(bound).toEqual(start === "http:// {" ? ["bind fd/3 {"] : ["bind fd/4 {", "bind fdgram/5 {"]);
      expect(block(publicSite, "http://:2020 {")).toContain("bind fd/6 {");
    },
  );

  it("is given them in the order in which the holder opens them", async () => {
    const { command } = (await runPlatform()).container("edge-sockets");
    expect(command).toEqual([
      ...["hold", "/run/edge", "tcp::8080", "tcp::8443", "udp::8443", "tcp:edge-sockets.caddy:2020"],
    ]);
  });

  it("asks its clients for another connection, but not over HTTP/3, and has the time that a request may take", async () => {
    for (const start of ["http:// {", "https:// {", "trader.example.com {", "https://www.trader.example.com {"])
      expect(block(publicSite, start)).toEqual(
        expect.arrayContaining([
          "vars {http.shutting_down} true",
          "not protocol http/3+",
          "header @leaving Connection close",
        ]),
      );
    expect(trimmed(publicSite)).toContain("shutdown_delay 5s");
    // With it, a reload cuts what is under way over HTTP/3.
    expect(publicSite).not.toContain("grace_period");
    const { stopTimeout } = (await runPlatform()).container("caddy");
    expect(stopTimeout).toBeGreaterThan(75);
  });

  it("has no port of its own; one that published its ports itself is stopped before they are taken", () => {
    const script = formerScript("unix:///run/d.sock", "s");
    expect(script).toContain("--filter label=autollm.service=caddy");
    expect(script).toContain('[ -z "$(docker port "$id")" ] || docker stop "$id"');
  });
});

describe("localhost", () => {
  it("gets a certificate of Caddy's own authority, which is not forced on the machine", () => {
    expect(trimmed(localSite)).toEqual(expect.arrayContaining(["local_certs", "skip_install_trust"]));
    expect(localSite).toContain("\nhttps://localhost, https://127.0.0.1 {\n");
    expect(localSite).not.toContain("www.");
  });

  it("leads plain HTTP to the port that is published, not to 443", () => {
    expect(block(localSite, "http://localhost, http://127.0.0.1 {")).toContain("redir https://{host}:8443{uri} 308");
  });
});

describe("the text", () => {
  it.each([publicSite, localSite])("closes every block", (text) => {
    const lines = trimmed(text);
    expect(lines.filter((line) => line.endsWith("{")).length).toBe(lines.filter((line) => line === "}").length);
    expect(text.endsWith("}\n")).toBe(true);
  });
});

describe("the admin login", () => {
  const password = randomText(33);
  const salt = "00112233445566778899aabbccddeeff";
  const hash = loginHash(password, salt);

  it("lets the password in, and no other", () => {
    expect(bcrypt.compareSync(password, hash)).toBe(true);
    expect(bcrypt.compareSync(`${password}x`, hash)).toBe(false);
  });

  it("is the same each time, so that no up differs by chance, and another for another salt", () => {
    expect(loginHash(password, salt)).toBe(hash);
    expect(loginHash(password, salt.replace("0", "f"))).not.toBe(hash);
    expect(bcrypt.getRounds(hash)).toBeGreaterThanOrEqual(10);
  });

  it("stands in Caddy's file as a hash alone", async () => {
    const platform = await runPlatform({
      config: { ...localConfig, "caddy-admin": password },
      secretKeys: ["caddy-admin"],
    });
    const files = platform.files("caddy");
    const [user, stored] = (files["secrets/login"] ?? "").trim().split(" ");
    expect(user).toBe("admin");
    expect(bcrypt.compareSync(password, stored ?? "")).toBe(true);
    expect(Object.values(files).join("\n")).not.toContain(password);
  });
});
