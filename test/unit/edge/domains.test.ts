import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { certificateFiles, domainsOf } from "../../../components/edge/domains.ts";
import { blackboxConfig, edgeTargets } from "../../../components/observability/blackbox.ts";
import { ConfigError, checkConfig } from "../../../components/settings.ts";
import { certificate } from "../../../tools/checkImage/certificates.ts";
import { block, render, trimmed } from "../lib/caddyfile.ts";
import { localConfig, runPlatform } from "../lib/platform.ts";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const pemOf = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
const authority = { commonName: "An authority of the test", key: newKey() };
const root = certificate(authority);

/** A certificate for names, with its chain and key. */
function issue(names: readonly string[], now?: number) {
  const key = newKey();
  const own = certificate({ commonName: names[0] ?? "nobody", key, issuer: authority, names }, now);
  return { certificate: own + root, key: pemOf(key), own };
}

const DAY_MS = 86_400_000;
const NAME = "trade.example.org";
const at = (field: string, name = NAME) => `domains["${name}"].${field}`;
const setCertificate = `./autollm pulumi config set --path '${at("certificate")}' < certificate.pem`;
const setKey = `./autollm pulumi config set --secret --path '${at("key")}' < key.pem`;

function faultsOf(domains: unknown, secret = true): readonly string[] {
  try {
    checkConfig({ "autollm:domains": JSON.stringify(domains) }, new Set(secret ? ["autollm:domains"] : []));
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe("`domains`", () => {
  const good = issue([NAME]);
  const stranger = newKey();

  it.each<[string, Record<string, unknown>, string]>([
    [
      "a certificate without its key",
      { certificate: good.certificate },
      `${at("key")}: is missing, and a certificate is there; without both, Caddy gets one; fix it with: ${setKey}`,
    ],
    [
      "a key without its certificate",
      { key: good.key },
      `${at("certificate")}: is missing, and a key is there; without both, Caddy gets one; fix it with: ${setCertificate}`,
    ],
    [
      "a certificate of another name",
      issue(["other.example.org", "www.example.org"]),
      `${at("certificate")}: is for other.example.org, www.example.org, not for ${NAME}; fix it with: ${setCertificate}`,
    ],
    [
      "a key of another certificate",
      { ...good, key: pemOf(stranger) },
      `${at("key")}: does not belong to the certificate; fix it with: ${setKey}`,
    ],
    [
      "what is no certificate",
      { ...good, certificate: "MIIB" },
      `${at("certificate")}: must be a certificate and the chain that signed it, as PEM, its own first; fix it with: ${setCertificate}`,
    ],
    [
      "what is no key",
      { ...good, key: "x" },
      `${at("key")}: must be the certificate's private key, as PEM; fix it with: ${setKey}`,
    ],
    [
      "a key that wants a passphrase",
      {
        ...good,
        key: stranger.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: NAME }).toString(),
      },
      `${at("key")}: is encrypted with a passphrase: store it without one, as the config encrypts it; fix it with: ${setKey}`,
    ],
    [
      "a private key among the certificates",
      { ...good, certificate: good.certificate + good.key },
      `${at("certificate")}: has a private key in it, which belongs into \`key\`, as a secret; fix it with: ${setCertificate}`,
    ],
    [
      "a chain of strangers",
      { ...good, certificate: good.own + certificate({ commonName: "Another authority", key: newKey() }) },
      `${at("certificate")}: is out of order: certificate 2 has not signed certificate 1; fix it with: ${setCertificate}`,
    ],
  ])("refuses %s", (_, { certificate: chain, key }, fault) =>
    expect(
      faultsOf({
        [NAME]: { ...(chain === undefined ? {} : { certificate: chain }), ...(key === undefined ? {} : { key }) },
      }),
    ).toEqual([fault]),
  );

  it("refuses a certificate that has ended or has not begun", () => {
    const faults = (days: number) => faultsOf({ [NAME]: without(issue([NAME], Date.now() + days * DAY_MS)) });
    expect(faults(-3)).toEqual([expect.stringMatching(/certificate: ended on .* GMT; fix it with: /)]);
    expect(faults(3)).toEqual([expect.stringMatching(/certificate: begins on .* GMT; fix it with: /)]);
  });

  it.each(["https://a.example.org", "A.example.org", "*.example.org", "a..example.org", ""])(
    "refuses %j as a host name",
    (name) => expect(faultsOf({ [name]: {} })).toEqual([expect.stringContaining("must be a host name in lower case")]),
  );

  it("refuses a key in plain text, and does not tell it", () => {
    const faults = faultsOf({ [NAME]: without(good) }, false);
    expect(faults).toEqual([`${at("key")}: is stored in plain text; set it with: ${setKey}`]);
  });

  it("keeps keys out of the settings", () => {
    const config = { "autollm:domains": JSON.stringify({ [NAME]: without(good), "b.example.org": {} }) };
    const { settings } = checkConfig(config, new Set(["autollm:domains"]));
    expect(settings.domains).toEqual({ [NAME]: { certificate: good.certificate }, "b.example.org": {} });
  });

  it("are no secrets, like `domain` itself", () => {
    const config = { "autollm:domains": '{"quintalvera.osmarth.net":{}}', "autollm:caddy-admin": "quintalvera2026" };
    expect(() => checkConfig(config, new Set(["autollm:caddy-admin"]))).toThrow(/caddy-admin: is a known/);
  });
});

function without({ certificate: chain, key }: ReturnType<typeof issue>) {
  return { certificate: chain, key };
}

describe("the edge of several domains", () => {
  const own = issue(["trader.example.com"]);
  const both = issue(["trader.example.com", "www.trader.example.com"]);
  const file = (name: string, chain: string, kind: "certificate" | "key") =>
    `{$EDGE_FILES:/run/live/current}/${certificateFiles({ name, chain })[kind]}`;
  const text = (chain?: string, further: readonly string[] = [NAME]) =>
    render("trader.example.com", 443, {
      domains: [
        { name: "trader.example.com", ...(chain === undefined ? {} : { chain }) },
        ...further.map((name) => ({ name })),
      ],
    });

  it("answers the same at each of them, and leads plain HTTP to the name that was asked for", () => {
    expect(block(text(), `${NAME} {`)).toEqual(block(text(), "trader.example.com {"));
    expect(block(text(), `http://${NAME} {`)).toContain(`redir https://${NAME}{uri} 308`);
  });

  it("shows a supplied certificate, and gets the others itself", () => {
    const name = "trader.example.com";
    expect(block(text(own.certificate), `${name} {`)[0]).toBe(
      `tls ${file(name, own.certificate, "certificate")} ${file(name, own.certificate, "key")}`,
    );
    expect(trimmed(text(own.certificate)).filter((line) => line.startsWith("tls "))).toHaveLength(1);
  });

  it("answers at www by HTTPS where there is a certificate for it", () => {
    expect(text(own.certificate)).not.toContain("https://www.trader.example.com {");
    expect(block(text(both.certificate), "https://www.trader.example.com {")[0]).toMatch(/^tls /);
    expect(text(own.certificate)).toContain("http://trader.example.com, http://www.trader.example.com {");
  });

  it("takes www as a domain of its own where the config names it", () => {
    const listed = text(undefined, ["www.trader.example.com"]);
    expect(block(listed, "www.trader.example.com {")).toEqual(block(listed, "trader.example.com {"));
    expect(listed).not.toContain("https://www.trader.example.com {");
  });

  it("has another path for another certificate, so that Caddy reads it", () => {
    expect(file(NAME, own.certificate, "certificate")).not.toBe(file(NAME, both.certificate, "certificate"));
  });

  it("gives Caddy the key as a file, and nothing else", async () => {
    const supplied = without(issue([NAME]));
    const config = { ...localConfig, domains: JSON.stringify({ [NAME]: supplied, "b.example.org": {} }) };
    const platform = await runPlatform({ config, secretKeys: ["domains"] });
    const files = platform.files("caddy");
    const { certificate: chain, key } = certificateFiles({ name: NAME, chain: supplied.certificate });
    expect([files[chain], files[key]]).toEqual([supplied.certificate, supplied.key]);
    expect(files.Caddyfile).toContain("\nb.example.org {\n");
    const [, line = ""] = supplied.key.split("\n");
    expect(JSON.stringify(platform.resources.filter(({ type }) => type.startsWith("docker:")))).not.toContain(line);
  });
});

describe("the watch over several domains", () => {
  const { certificate: chain } = issue([NAME]);
  const domains = domainsOf({
    domain: "trader.example.com",
    domains: { [NAME]: { certificate: chain }, "a.example.org": {} },
  });

  it("asks each for its health page and its certificate", () => {
    const asked = edgeTargets(domains).filter(({ labels }) => labels?.certificate !== undefined);
    expect(asked.map(({ job, labels }) => [job, labels])).toEqual([
      ["edge", { certificate: "public", domain: "trader.example.com" }],
      ["domain-a.example.org", { certificate: "public", domain: "a.example.org" }],
      [`domain-${NAME}`, { certificate: "supplied", domain: NAME }],
    ]);
  });

  it("trusts a supplied certificate's own chain, and for the others what a browser trusts", () => {
    const { modules } = parse(blackboxConfig(domains)) as {
      modules: Record<string, { http: { tls_config: unknown } }>;
    };
    expect(modules[`domain-${NAME}`]?.http.tls_config).toEqual({ server_name: NAME, ca: root.trim() });
    expect(modules["domain-a.example.org"]?.http.tls_config).toEqual({ server_name: "a.example.org" });
  });
});
